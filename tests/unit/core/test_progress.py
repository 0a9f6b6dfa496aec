from __future__ import annotations

import re
import sys

import pytest

from realface.core import progress as module
from realface.core.progress import progress


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_without_a_terminal_the_end_is_one_plain_line_with_count_and_rate(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("prepare", 4, unit="videos") as bar:
        for _ in range(4):
            clock.now += 0.5
            bar.advance()
    assert capsys.readouterr().err == "prepare: 4/4 videos, 2.0 videos/s, 2 s\n"


def test_long_work_says_every_ten_seconds_how_long_it_will_take(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("train", 100, unit="steps") as bar:
        clock.now = 5
        bar.advance(10)
        clock.now = 10
        bar.advance(10, note="loss 0.5")
        lines = capsys.readouterr().err
    # 20 of 100 in 10 s: 80 more take 40 s
    assert lines == "train: 20/100 steps, 2.0 steps/s, 10 s, 40 s left | loss 0.5\n"


def test_the_last_note_stays_until_another_comes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("train", 2, unit="steps") as bar:
        clock.now = 1
        bar.advance(note="loss 0.5")
        bar.advance()
    assert capsys.readouterr().err.endswith("| loss 0.5\n")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("prepare", 1, unit="videos", quiet=True) as bar:
        bar.advance(note="a.mp4")
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_shows_count_rate_and_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    with progress("detect", 2, unit="files") as bar:
        bar.advance(2, note="b.mp4")
    shown = capsys.readouterr().err
    assert "detect" in shown
    assert re.search(r"2/2 +files +[\d.]+/s", re.sub(r"\x1b\[[\d;]*m", "", shown))
    assert "b.mp4" in shown


def test_on_a_terminal_the_time_left_is_known_of_slow_files_too(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    with progress("prepare", 9, unit="files", done=4) as bar:
        for _ in range(3):
            clock.now += 60
            bar.advance()
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().err)
    assert re.search(r"7/9 +files +0\.0/s +0:03:00 +left +0:02:00", shown), shown


def test_work_that_breaks_off_is_not_reported_as_finished(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), progress("prepare", 4, unit="videos"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == ""
