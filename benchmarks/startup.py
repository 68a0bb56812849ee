"""How long the package takes to import and its commands to show their help, in fresh processes.

    python benchmarks/startup.py

All commands run in turn, round after round. `python -c pass` is Python's own share of each.
"""

from __future__ import annotations

from functools import partial

from harness import middle, origin, parser, run_python, save, seconds

COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import debias_cl": ("-c", "import debias_cl"),
    "python -m debias_cl --help": ("-m", "debias_cl", "--help"),
    "python -m debias_cl.evaluate --help": ("-m", "debias_cl.evaluate", "--help"),
    "python -m debias_cl.train --help": ("-m", "debias_cl.train", "--help"),
}
HEAVY = ("torch", "torchvision", "timm", "pandas", "scipy", "sklearn", "matplotlib")


def imported() -> list[str]:
    """Return which heavy libraries `import debias_cl` brings with it."""
    code = f"import sys, debias_cl; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    return run_python(("-c", code)).split()


def main() -> None:
    """Measure every command."""
    options = parser(__doc__, repeats=11).parse_args()
    started = origin()
    rounds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(options.repeats + 1):
        for name, arguments in COMMANDS.items():
            took = seconds(partial(run_python, arguments))
            if turn:  # the first round fills the system's file cache
                rounds[name].append(took)
    save(
        "wall seconds of fresh processes, from start to end",
        {
            "repeats": options.repeats,
            "seconds": {name: middle(times) for name, times in rounds.items()},
            "slowest": {name: middle([max(times)]) for name, times in rounds.items()},
            "heavy_imports_of_debias_cl": imported(),
        },
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
