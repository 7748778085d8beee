"""The product's workers with shorter leases and turns, so that tests need not wait for their ends."""

from dataclasses import replace

import worker
from app.automation.executions import timing
from app.automation.executions.timing import Timing
from app.core.settings import load_settings

QUICK = Timing(lease_s=6.0, margin_s=1.0, turn_s=1.0, sent_s=3.0, started_s=6.0)
DUTIES_EVERY_S = 0.5
TIDYING_EVERY_S = 60.0
"""What is done so seldom no test waits for."""


def main() -> int:
    """Run the workers of these settings; returns the exit code."""
    timing.configure(QUICK)
    quick = [
        replace(duty, every_s=min(duty.every_s, DUTIES_EVERY_S)) if duty.every_s < TIDYING_EVERY_S else duty
        for duty in worker.DUTIES
    ]
    setattr(worker, "DUTIES", tuple(quick))  # noqa: B010 — a constant, but in this process
    return worker.run(load_settings())


if __name__ == "__main__":
    raise SystemExit(main())
