"""Where the servers of a test run keep their data, and how carelessly."""

import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA_ROOT = Path(tempfile.gettempdir()) / "opsconductor-tests"
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
READY = b"ready"
