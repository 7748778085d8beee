"""Starts a simulated network from the command line: `python -m app.demo.network SPEC.json`."""

import sys

from app.demo.network.process import main

sys.exit(main(sys.argv[1:]))
