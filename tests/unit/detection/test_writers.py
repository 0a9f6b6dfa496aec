import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from realface.core.boxes import Box
from realface.core.calibration import Band
from realface.detection.outcome import Reason
from realface.detection.verdict import FaceScore, Failure, FrameScore, TrackScore, Verdict
from realface.detection.writers import CsvWriter, JsonWriter, LineWriter, Tally


def verdict(name: str = "a.jpg", score: float = 0.75) -> Verdict:
    return Verdict(
        path=Path(name),
        kind="image",
        width=8,
        height=8,
        score=score,
        band=Band(real_below=0.5, fake_from=0.5),
        frames=(FrameScore(0, 0.0, 8, 8, (FaceScore(Box(0, 0, 8, 8), score, 0, None),)),),
        tracks=(TrackScore(0, 1, score, counts=True),),
        model="recce 0123",
        purpose="demonstration",
        seconds={},
    )


FAILURE = Failure(Path("b.jpg"), "empty file", "b.jpg is empty")


def test_lines_come_one_per_file() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    writer.add(verdict())
    writer.add(FAILURE)
    writer.finish(Tally(), complete=True)
    assert stream.getvalue().splitlines() == [verdict().line(), FAILURE.line()]


def test_csv_has_a_header_and_a_row_per_file_even_with_a_comma_in_the_name() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream)
    writer.add(verdict("a, b.jpg"), overlay=Path("out/a.jpg"))
    writer.add(FAILURE)
    first, second = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (first["path"], first["score"], first["verdict"]) == ("a, b.jpg", "0.75", "fake")
    assert (first["reason"], first["real_below"], first["fake_from"]) == ("", "0.5", "0.5")
    assert (first["overlay"], first["error"]) == ("out/a.jpg", "")
    assert first["note"] == "demonstration model: says nothing about real videos"
    assert (second["path"], second["score"], second["error"]) == ("b.jpg", "", "empty file")


def test_csv_leaves_out_the_band_of_a_file_outside_the_calibration() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream)
    writer.add(replace(verdict(), band=None, reason=Reason.OUTSIDE_CALIBRATION))
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["verdict"], row["reason"], row["fake_from"]) == ("cannot_say", "outside_calibration", "")


def test_json_is_one_document_with_the_counts_at_its_end() -> None:
    stream = io.StringIO()
    writer, tally = JsonWriter(stream, model={"method": "recce"}), Tally({".txt": 3, ".md": 1})
    for result in (verdict(), FAILURE, verdict(score=0.1)):
        tally.add(result)
        writer.add(result)
    writer.finish(tally, complete=True)
    document = json.loads(stream.getvalue())
    assert document["format"] == 2
    assert document["model"] == {"method": "recce"}
    assert [file["path"] for file in document["files"]] == ["a.jpg", "b.jpg", "a.jpg"]
    assert document["files"][1]["error"] == {"reason": "empty file", "text": "b.jpg is empty"}
    assert document["summary"] == {
        "num_files": 3,
        "num_real": 1,
        "num_fake": 1,
        "num_uncertain": 0,
        "num_cannot_say": 0,
        "num_failed": 1,
        "failures": {"empty file": 1},
        "num_skipped": 4,
        "skipped": {".txt": 3, ".md": 1},
        "complete": True,
    }


def test_json_broken_off_before_the_first_file_is_still_a_document() -> None:
    stream = io.StringIO()
    JsonWriter(stream, model={}).finish(Tally(), complete=False)
    document = json.loads(stream.getvalue())
    assert document["files"] == []
    assert document["summary"]["complete"] is False


def test_the_tally_counts_failures_by_reason() -> None:
    tally = Tally()
    for result in (verdict(), FAILURE, FAILURE, Failure(Path("c"), "truncated", "")):
        tally.add(result)
    assert tally.line() == "4 files: 0 real, 1 fake, 3 without a verdict (2 empty file, 1 truncated)"


def test_the_tally_counts_verdicts_that_decide_nothing() -> None:
    tally = Tally()
    band = Band(real_below=0.2, fake_from=0.9)
    for result in (verdict(), replace(verdict(), band=band), replace(verdict(), reason=Reason.NO_FACE, score=None)):
        tally.add(result)
    assert tally.line() == "3 files: 0 real, 1 fake, 1 uncertain, 1 cannot_say"
