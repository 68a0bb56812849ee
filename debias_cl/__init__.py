"""debias_cl: trains image encoders that rely less on shortcuts, and audits encoders for bias."""

__version__ = "0.1.0"
