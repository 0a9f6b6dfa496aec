import signal

import pytest

from realface.core.errors import StoppedBySignal
from realface.training.stopping import Stopper


def test_first_signal_is_noted_and_the_second_acts():
    stopper = Stopper()
    with stopper.listening():
        signal.raise_signal(signal.SIGINT)
        assert stopper.requested == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stopper().listening():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_signal_raises_at_once_where_nothing_would_be_lost():
    stopper = Stopper()
    with stopper.listening(), stopper.at_once(), pytest.raises(StoppedBySignal, match="stopped by SIGTERM"):
        signal.raise_signal(signal.SIGTERM)


def test_signal_that_came_before_raises_on_entering():
    stopper = Stopper()
    with stopper.listening():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StoppedBySignal) as caught, stopper.at_once():
            pytest.fail("went in")
    assert caught.value.number == signal.SIGTERM
