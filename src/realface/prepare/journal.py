"""The records of a preparation on disk, one line each, so that a process may be killed at any moment."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from realface.core.files import written_atomically
from realface.prepare.record import ItemRecord

ABSENT = -1


class Journal:
    """The records of one shard, by the item's number in the inventory.

    Only one process writes to the file. A kill can damage only the last line, which counts as missing and is removed by
    the next write. Memory contains only the position of each record, in 8 bytes per item.

    Args:
        path: the file, which the constructor does not open; use `open`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("q")  # by number
        self._count = 0
        self._end = 0

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Return the journal of a file, which may be missing."""
        journal = cls(path)
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        journal._note(int(line[: line.index(b"\t")]), len(line))
        return journal

    def __contains__(self, index: int) -> bool:
        return index < len(self._starts) and self._starts[index] != ABSENT

    def __iter__(self) -> Iterator[int]:
        return (index for index, start in enumerate(self._starts) if start != ABSENT)

    def __len__(self) -> int:
        return self._count

    def append(self, index: int, record: ItemRecord) -> None:
        """Add the record of one item."""
        line = f"{index}\t{record.to_json()}\n".encode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.truncate(self._end)  # a torn line
            file.write(line)
        self._note(index, len(line))

    def read(self, index: int) -> ItemRecord:
        """Return the record of one item."""
        ((_, line),) = self._lines([index])
        return _record_of(line)

    def records(self) -> Iterator[tuple[int, ItemRecord]]:
        """Yield all records in the order of the items."""
        for index, line in self._lines(self):
            yield index, _record_of(line)

    def rewrite(self, *, without: Collection[int] = ()) -> None:
        """Bring the lines into the order of the items, and leave some out."""
        starts = [self._starts[index] for index in self]
        if not without and starts == sorted(starts):
            return
        left_out = set(without)
        with written_atomically(self._path) as new, new.open("wb") as lines:
            lines.writelines(line for _, line in self._lines(index for index in self if index not in left_out))
        again = Journal.open(self._path)
        self._starts, self._count, self._end = again._starts, again._count, again._end

    def _lines(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        if not self._count:
            return
        with self._path.open("rb") as file:
            for index in numbers:
                file.seek(self._starts[index])
                yield index, file.readline()

    def _note(self, index: int, length: int) -> None:
        if index >= len(self._starts):
            self._starts.extend([ABSENT] * (index + 1 - len(self._starts)))
        self._count += self._starts[index] == ABSENT
        self._starts[index] = self._end
        self._end += length


def _record_of(line: bytes) -> ItemRecord:
    return ItemRecord.from_json(line.split(b"\t", 1)[1].decode())
