"""Ends the servers of a test run when the process that needed them has ended, in whatever way: run as a program.

It holds a share in the servers and waits for its input to close; a killed test run closes it too.
"""

import sys
from pathlib import Path

from app.core.embedded import erase_embedded, start_embedded
from tests.support.placement import DATA_ROOT, FAST, READY


def main(folder: Path) -> None:
    """Start the servers or find them alive, say so, and leave nothing behind once nobody needs them."""
    services = start_embedded(folder, settings=FAST, data_root=DATA_ROOT)
    try:
        sys.stdout.buffer.write(READY + b"\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        if services.stop():
            erase_embedded(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
