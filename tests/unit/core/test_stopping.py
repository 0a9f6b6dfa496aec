import signal

import pytest

from realface.core.errors import StoppedBySignal
from realface.core.stopping import Stopper, ended_by_sigterm


@pytest.fixture(autouse=True)
def heeded_signals():
    """As in a foreground process; one in the background may ignore Ctrl-C."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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

    def validate():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)

    with stopper.listening(), pytest.raises(StoppedBySignal), stopper.at_once():
        validate()


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stopper().listening():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_signal_raises_at_once_where_nothing_would_be_lost():
    stopper = Stopper()
    with stopper.listening(), pytest.raises(StoppedBySignal, match="stopped by SIGTERM"), stopper.at_once():
        signal.raise_signal(signal.SIGTERM)


def decode_under_signal():
    try:
        signal.raise_signal(signal.SIGTERM)
    except Exception:
        pytest.fail("taken for damage of a file")


def test_no_decoder_takes_a_signal_for_damage_of_a_file():
    stopper = Stopper()
    with stopper.listening(), pytest.raises(StoppedBySignal), stopper.at_once():
        decode_under_signal()
    with pytest.raises(StoppedBySignal), ended_by_sigterm():
        decode_under_signal()


def test_sigterm_ends_a_block_as_an_error_does():
    with pytest.raises(StoppedBySignal, match=r"^stopped by SIGTERM$") as caught, ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_handler_of_somebody_else_for_sigterm_stays(handler):
    signal.signal(signal.SIGTERM, handler)
    with ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == handler


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
