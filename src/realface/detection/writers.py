"""Write verdicts as lines, CSV or one JSON document, each verdict once it is complete."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from realface.detection.outcome import Outcome
from realface.detection.verdict import Failure, Verdict

FORMAT = 2
CSV_COLUMNS = (
    "path",
    "kind",
    "score",
    "verdict",
    "reason",
    "real_below",
    "fake_from",
    "num_frames",
    "num_faces",
    "note",
    "overlay",
    "error",
    "error_text",
)


class Tally:
    """Counts of the results.

    Args:
        skipped: number of files in folders that are neither images nor videos, by kind.
    """

    def __init__(self, skipped: Mapping[str, int] | None = None) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.failures: Counter[str] = Counter()
        self.skipped = dict(skipped or {})

    def add(self, result: Verdict | Failure) -> None:
        """Count one file."""
        if isinstance(result, Failure):
            self.failures[result.reason] += 1
        else:
            self.outcomes[result.outcome] += 1

    @property
    def num_files(self) -> int:
        """Files that have an answer."""
        return self.outcomes.total() + self.failures.total()

    def line(self) -> str:
        """Return the counts, such as `12 files: 7 real, 3 fake, 1 uncertain, 1 without a verdict (1 empty file)`."""
        files = "1 file" if self.num_files == 1 else f"{self.num_files} files"
        text = f"{files}: {self.outcomes[Outcome.REAL]} real, {self.outcomes[Outcome.FAKE]} fake"
        for outcome in (Outcome.UNCERTAIN, Outcome.CANNOT_SAY):
            if self.outcomes[outcome]:
                text += f", {self.outcomes[outcome]} {outcome}"
        if self.failures:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures.most_common())
            text += f", {self.failures.total()} without a verdict ({reasons})"
        return text

    def to_json(self) -> dict[str, Any]:
        """Return the counts in the form of the JSON document."""
        return {
            "num_files": self.num_files,
            **{f"num_{outcome}": self.outcomes[outcome] for outcome in Outcome},
            "num_failed": self.failures.total(),
            "failures": dict(self.failures.most_common()),
            **skipped_counts(self.skipped),
        }


def skipped_counts(skipped: Mapping[str, int]) -> dict[str, Any]:
    """Return the counts of skipped files as fields of a JSON summary."""
    return {"num_skipped": sum(skipped.values()), "skipped": dict(skipped)}


class Writer(Protocol):
    """One way to print answers."""

    def add(self, result: Verdict | Failure, *, overlay: Path | None = None) -> None:
        """Print one file's result; `overlay` is the drawing of the verdict."""

    def finish(self, tally: Tally, *, complete: bool) -> None:
        """Print the end of the output; `complete` is false after Ctrl-C."""


class LineWriter:
    """RECCE's line per file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, result: Verdict | Failure, *, overlay: Path | None = None) -> None:  # noqa: ARG002 (it has no place)
        """Print one line."""
        print(result.line(), file=self._stream, flush=True)

    def finish(self, tally: Tally, *, complete: bool) -> None:
        """Do nothing; the last line is already printed."""


class CsvWriter:
    """A header and a row per file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
        self._rows.writeheader()

    def add(self, result: Verdict | Failure, *, overlay: Path | None = None) -> None:
        """Print one row."""
        row: dict[str, object] = {"path": result.path}
        if isinstance(result, Failure):
            row |= {"error": result.reason, "error_text": result.text}
        else:
            row |= {
                "kind": result.kind,
                "score": result.score,
                "verdict": result.outcome,
                "reason": result.reason,
                **({} if result.band is None else result.band.model_dump()),
                "num_frames": len(result.frames),
                "num_faces": result.num_faces,
                "note": result.note,
                "overlay": overlay,
            }
        self._rows.writerow(row)
        self._stream.flush()

    def finish(self, tally: Tally, *, complete: bool) -> None:
        """Do nothing; the last row is already printed."""


class JsonDocument:
    """One document with one line per file, written file by file, so that memory does not grow with the number of files.

    Close it on Ctrl-C too: the document then contains `complete: false`.
    """

    def __init__(self, stream: TextIO, *, version: int, model: Mapping[str, Any]) -> None:
        self._stream = stream
        self._separator = "\n"
        self._stream.write(f'{{"format": {version},\n"model": {_json(model)},\n"files": [')

    def add(self, element: Mapping[str, Any]) -> None:
        """Print one element of `files`."""
        separator, self._separator = self._separator, ",\n"
        self._stream.write(separator + _json(element))
        self._stream.flush()

    def finish(self, summary: Mapping[str, Any], *, complete: bool) -> None:
        """Close the document with the counts."""
        self._stream.write(f'\n],\n"summary": {_json({**summary, "complete": complete})}}}\n')
        self._stream.flush()


class JsonWriter:
    """One JSON document."""

    def __init__(self, stream: TextIO, *, model: Mapping[str, Any]) -> None:
        self._document = JsonDocument(stream, version=FORMAT, model=model)

    def add(self, result: Verdict | Failure, *, overlay: Path | None = None) -> None:
        """Print one element of `files`."""
        drawn = {"overlay": None if overlay is None else str(overlay)} if isinstance(result, Verdict) else {}
        self._document.add({**result.to_json(), **drawn})

    def finish(self, tally: Tally, *, complete: bool) -> None:
        """Close the document with the counts."""
        self._document.finish(tally.to_json(), complete=complete)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
