"""Suites: grids of methods x data sets x seeds, their results, and what is drawn from them.

grid (TOML) -> cells (one run each) -> results (one JSON a cell) -> leaderboard, convergence.
Results of several machines are merged by putting their files into one folder.
"""
