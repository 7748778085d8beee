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


def hold_while_asked(signals: StopSignals, times: int, done: list[str]) -> None:
    """Be asked to stop that often in a step that must not be torn."""
    with signals.held():
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGTERM)
        done.append("all of it")


def test_a_step_that_must_not_be_torn_ends_before_the_first_signal_interrupts() -> None:
    done: list[str] = []
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt):
            hold_while_asked(signals, 1, done)
        assert (done, signals.count) == (["all of it"], 1)
        hold_while_asked(signals, 1, done)
        assert signals.count == 2


def test_a_second_signal_does_not_wait_for_the_step() -> None:
    done: list[str] = []
    with StopSignals() as signals, pytest.raises(KeyboardInterrupt):
        hold_while_asked(signals, 2, done)
    assert done == []


def test_without_a_signal_the_step_is_only_a_step() -> None:
    done: list[str] = []
    with StopSignals() as signals:
        hold_while_asked(signals, 0, done)
    assert done == ["all of it"]
