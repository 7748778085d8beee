"""Starts the command line as `python -m app.cli`, as its own child processes do."""

from app.cli.entry import main

main(prog_name="opsconductor")
