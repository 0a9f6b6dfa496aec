"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_LINE_EVERY_S = 10.0


class Progress(Protocol):
    """An object that counts finished units of work."""

    def advance(self, count: int = 1, *, note: str = "") -> None:
        """Add `count` finished units; `note` is shown after the numbers."""


@contextmanager
def progress(title: str, total: int, *, unit: str, quiet: bool = False, done: int = 0) -> Iterator[Progress]:
    """Show the progress of `total` units of work.

    Args:
        title: name of the work, such as `prepare`.
        total: number of units, including `done`.
        unit: plural noun for the units, such as `videos`.
        quiet: show no progress.
        done: number of units that were already finished; they do not count for the rate.
    """
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _terminal_bar(title, total, unit, done) as bar:
            yield bar
    else:
        lines = _PlainLines(title, total, unit, done)
        yield lines
        lines.finish()


class _Silent:
    def advance(self, count: int = 1, *, note: str = "") -> None:
        pass


class _PlainLines:
    """One line at most every ten seconds, and one at the end: readable in a log file."""

    def __init__(self, title: str, total: int, unit: str, done: int) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._done_before = done
        self._note = ""
        self._start = self._printed = time.monotonic()

    def advance(self, count: int = 1, *, note: str = "") -> None:
        self._done += count
        self._note = note or self._note
        now = time.monotonic()
        if now - self._printed >= PLAIN_LINE_EVERY_S and self._done < self._total:
            self._printed = now
            left = (now - self._start) / max(self._done - self._done_before, 1) * (self._total - self._done)
            self._print(now, f", {left:.0f} s left")

    def finish(self) -> None:
        self._print(time.monotonic(), "")

    def _print(self, now: float, left: str) -> None:
        elapsed = max(now - self._start, 1e-9)
        note = f" | {self._note}" if self._note else ""
        rate = (self._done - self._done_before) / elapsed
        print(
            f"{self._title}: {self._done}/{self._total} {self._unit}, {rate:.1f} {self._unit}/s, "
            f"{elapsed:.0f} s{left}{note}",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def _terminal_bar(title: str, total: int, unit: str, done_before: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    # by default rich estimates from the last 30 s, which is too short for files that take longer than that
    with RichProgress(*columns, console=console, speed_estimate_period=3600.0, get_time=time.monotonic) as bar:
        task = bar.add_task(title, total=total, completed=done_before, rate="", note="")
        start = time.monotonic()

        class _Bar:
            def advance(self, count: int = 1, *, note: str = "") -> None:
                done = bar.tasks[0].completed + count
                rate = (done - done_before) / max(time.monotonic() - start, 1e-9)
                bar.update(task, advance=count, rate=f"{rate:.1f}/s", note=note or bar.tasks[0].fields["note"])

        yield _Bar()
