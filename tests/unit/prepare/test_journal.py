from pathlib import Path

import pytest

from realface.media.frames import VideoInfo
from realface.prepare.journal import Journal
from realface.prepare.record import ItemRecord, SkippedFile


def record(name, **known):
    return ItemRecord(source=name, **known)


def test_what_was_appended_is_there_for_the_next_process(tmp_path):
    full = record(
        "ü/1.mp4",
        sha256="ab",
        rows=[{"path": "a.png", "box": [0.1, 1 / 3, 2.0, 3.0], "identities": ["a\tb", "c\nd"], "mask": None}],
        skipped=[SkippedFile("frame: no face found", "text", 3)],
        boxes="original",
        info=VideoInfo(Path(), 64, 48, 29.97, 8, 0.25, "h264"),
        faces={"3": [[0.5] * 16]},
    )
    Journal.open(tmp_path / "journal.tsv").append(7, full)
    journal = Journal.open(tmp_path / "journal.tsv")
    assert (len(journal), 7 in journal, 0 in journal, list(journal)) == (1, True, False, [7])
    assert journal.read(7) == full


@pytest.mark.parametrize("torn", [1, 5, 40])
def test_a_line_torn_by_a_kill_counts_as_not_written_and_the_next_replaces_it(tmp_path, torn):
    path = tmp_path / "journal.tsv"
    journal = Journal.open(path)
    for index in (2, 0, 1):
        journal.append(index, record(f"{index}.mp4"))
    path.write_bytes(path.read_bytes()[:-torn])
    again = Journal.open(path)
    assert sorted(again) == [0, 2]
    again.append(1, record("new.mp4"))
    assert [one.source for _, one in Journal.open(path).records()] == ["0.mp4", "new.mp4", "2.mp4"]


def test_rewriting_brings_the_lines_in_order_and_leaves_some_out(tmp_path):
    path = tmp_path / "journal.tsv"
    journal = Journal.open(path)
    for index in (3, 0, 12, 2):
        journal.append(index, record(f"{index}.mp4"))
    journal.rewrite(without={0})
    assert [line.split("\t")[0] for line in path.read_text().splitlines()] == ["2", "3", "12"]
    assert [index for index, _ in journal.records()] == [2, 3, 12]
    journal.append(0, record("again.mp4"))
    assert journal.read(0).source == "again.mp4"
    assert journal.read(12).source == "12.mp4"


def test_an_empty_journal_is_no_file(tmp_path):
    journal = Journal.open(tmp_path / "journal.tsv")
    journal.rewrite()
    assert (len(journal), list(journal.records())) == (0, [])
    assert not (tmp_path / "journal.tsv").exists()


def test_a_journal_in_order_is_not_written_again(tmp_path):
    path = tmp_path / "journal.tsv"
    journal = Journal.open(path)
    for index in (0, 2, 5):
        journal.append(index, record(f"{index}.mp4"))
    before = path.stat().st_ino
    journal.rewrite()
    assert path.stat().st_ino == before
    journal.append(1, record("1.mp4"))
    journal.rewrite()
    assert path.stat().st_ino != before


def test_places_of_a_million_records_take_8_bytes_each(tmp_path):
    journal = Journal.open(tmp_path / "journal.tsv")
    journal.append(999_999, record("a.mp4"))
    assert (len(journal), 999_999 in journal, 999_998 in journal, 1_000_000 in journal) == (1, True, False, False)
    assert journal._starts.buffer_info()[1] * journal._starts.itemsize == 8_000_000
