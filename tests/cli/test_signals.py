import os
import signal

import pytest

from app.cli.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_and_the_others_are_counted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert signals.count == 2
    assert signal.getsignal(number) is before


def test_a_signal_is_only_counted_where_nothing_is_to_be_interrupted() -> None:
    with StopSignals() as signals:
        signals.interrupting = False
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.count == 1
