"""Signals that ask a command to stop, so that it saves a run or removes unfinished files before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from realface.core.errors import StoppedBySignal

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _SignalArrived(BaseException):
    """Ends a block as Ctrl-C does, so that decoders that catch `RuntimeError` do not mistake it for file damage."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block at once, with its worker processes and unfinished files cleaned up.

    A second SIGTERM kills the process. This has no effect outside the main thread, or if the process ignores SIGTERM
    or has a handler for SIGTERM already.

    Raises:
        StoppedBySignal: the process received SIGTERM.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise _SignalArrived(number)

    signal.signal(signal.SIGTERM, end)
    try:
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # inside, since the signal may arrive even here
    except _SignalArrived as arrived:
        raise StoppedBySignal(arrived.number) from None


class Stopper:
    """Records a signal instead of ending the process.

    A later Ctrl-C acts as usual. A second SIGTERM is ignored: a cluster sends SIGTERM to every process, and torchrun
    forwards its own SIGTERM as well.

    Attributes:
        requested: number of the first signal received; 0 before any signal.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._acts_at_once = False
        self._before: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record signals in this block, except signals that the process ignores, as under `nohup`.

        This has no effect outside the main thread, because only the main thread can set handlers.
        """
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heeded}
        try:
            yield
        finally:
            self._restore()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end this block immediately, because it contains no work to save.

        Raises:
            StoppedBySignal: a signal arrived before or during the block.
        """
        self._acts_at_once = True
        try:
            try:
                if self.requested:
                    raise _SignalArrived(self.requested)
                yield
            finally:
                self._acts_at_once = False  # inside, since the signal may arrive even here
        except _SignalArrived as arrived:
            raise StoppedBySignal(arrived.number) from None

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if signal.SIGINT in self._before:
            signal.signal(signal.SIGINT, self._before[signal.SIGINT])
        if self.requested:
            return
        self.requested = number
        if self._acts_at_once:
            raise _SignalArrived(number)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
