import signal

import pytest

from realface.core.errors import StoppedBySignal
from realface.training.stopping import Stopper


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_noted_and_ctrl_c_after_it_acts(first):
    stopper = Stopper()
    with stopper.listening():
        signal.raise_signal(first)
        assert stopper.requested == first
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_sigterm_that_comes_again_does_not_end_the_saving(first):
    stopper = Stopper()
    with stopper.listening():
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert stopper.requested == first


def test_sigterm_that_comes_again_does_not_disturb_the_end_of_a_validation():
    stopper = Stopper()
    with stopper.listening(), stopper.at_once():
        with pytest.raises(StoppedBySignal):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


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


def test_signal_that_was_to_be_ignored_is():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopper = Stopper()
    with stopper.listening():
        signal.raise_signal(signal.SIGINT)
        assert stopper.requested == 0
        signal.raise_signal(signal.SIGTERM)
        assert stopper.requested == signal.SIGTERM
