"""The product's workers with shorter leases and turns, so that tests need not wait for their ends."""

import worker
from app.automation.executions import timing
from app.automation.executions.timing import Timing
from app.core.settings import load_settings

QUICK = Timing(lease_s=6.0, margin_s=1.0, turn_s=1.0)

if __name__ == "__main__":
    timing.configure(QUICK)
    raise SystemExit(worker.run(load_settings()))
