"""The command line `opsconductor`: for engineers at a terminal, and for scripts."""

from app.cli.entry import main

__all__ = ["main"]
