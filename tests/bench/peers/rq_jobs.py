"""What the bare RQ worker is asked to do."""

QUEUE = "bench-peer"


def noop() -> None:
    """Do nothing."""
