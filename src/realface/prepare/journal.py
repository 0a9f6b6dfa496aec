"""The records of a preparation on disk, one line each, so that a process may be killed at any moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from realface.core.files import written_atomically
from realface.prepare.record import ItemRecord


class Journal:
    """The records of one shard, by the item's number in the scan.

    One process alone writes to the file. What a kill may tear is the last line, which counts as not written and is cut
    off by the next. Only where each record stands is held in memory.

    Args:
        path: the file; it is read, and need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[int, tuple[int, int]] = {}  # start and length of each line
        self._end = 0

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal of a file, which need not exist."""
        journal = cls(path)
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        journal._note(int(line[: line.index(b"\t")]), len(line))
        return journal

    def __contains__(self, index: int) -> bool:
        return index in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def append(self, index: int, record: ItemRecord) -> None:
        """Add the record of one item."""
        line = f"{index}\t{record.to_json()}\n".encode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.truncate(self._end)  # a torn line
            file.write(line)
        self._note(index, len(line))

    def read(self, index: int) -> ItemRecord:
        """The record of one item."""
        with self._path.open("rb") as file:
            return ItemRecord.from_json(self._line(file, index).split(b"\t", 1)[1].decode())

    def records(self) -> Iterator[tuple[int, ItemRecord]]:
        """All records in the order of the items."""
        for index in sorted(self._places):
            yield index, self.read(index)

    def rewrite(self, *, without: Collection[int] = ()) -> None:
        """Bring the lines into the order of the items, and leave some out."""
        if not self._places:
            return
        kept = sorted(self._places.keys() - set(without))
        with self._path.open("rb") as file, written_atomically(self._path) as new, new.open("wb") as lines:
            lines.writelines(self._line(file, index) for index in kept)
        again = Journal.open(self._path)
        self._places, self._end = again._places, again._end

    def _line(self, file: BinaryIO, index: int) -> bytes:
        start, length = self._places[index]
        file.seek(start)
        return file.read(length)

    def _note(self, index: int, length: int) -> None:
        self._places[index] = (self._end, length)
        self._end += length
