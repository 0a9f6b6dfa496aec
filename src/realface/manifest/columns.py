"""The columns of a manifest, each read on first use.

A manifest of millions of rows fills gigabytes, and training needs two or three of its columns. So opening, filtering,
taking and joining read only the columns that they need; their results read further columns on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from realface.manifest.schema import COLUMNS, SCHEMA

ReadColumn = Callable[[str], pa.ChunkedArray]
"""Name of a column -> its values, of the schema's type and checked."""


class Columns:
    """Columns of one length, with the names and types of `schema.SCHEMA`.

    Args:
        num_rows: the length.
        read: called for a column when it is first needed.
    """

    def __init__(self, num_rows: int, read: ReadColumn) -> None:
        self.num_rows = num_rows
        self._read = read
        self._kept: dict[str, pa.ChunkedArray] = {}

    @classmethod
    def of(cls, table: pa.Table) -> Columns:
        """Return the columns of a table in memory."""
        return cls(len(table), table.column)

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """Concatenate the rows of several parts."""
        if len(parts) == 1:
            return parts[0]

        def read(name: str) -> pa.ChunkedArray:
            chunks = [chunk for part in parts for chunk in part.look(name).chunks]
            return pa.chunked_array(chunks, SCHEMA.field(name).type)

        return cls(sum(part.num_rows for part in parts), read)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """Return one column and cache it."""
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return self._kept[name]

    def look(self, name: str) -> pa.ChunkedArray:
        """Return one column without caching it."""
        return self._kept[name] if name in self._kept else self._read(name)

    def table(self, names: Sequence[str] = COLUMNS) -> pa.Table:
        """Return these columns as a table and cache them."""
        return pa.table([self[name] for name in names], schema=pa.schema([SCHEMA.field(name) for name in names]))

    def filter(self, mask: pa.ChunkedArray) -> Columns:
        """Return the rows for which (rows,) `mask` is true."""
        num_rows = pc.sum(mask).as_py() or 0
        return self if num_rows == self.num_rows else Columns(num_rows, lambda name: self.look(name).filter(mask))

    def take(self, rows: pa.Array) -> Columns:
        """Return the rows with these (n,) numbers, in this order."""
        return Columns(len(rows), lambda name: self.look(name).take(rows))

    def replaced(self, name: str, read: Callable[[], pa.ChunkedArray]) -> Columns:
        """Return the columns with `name` replaced; `read` is called on first use."""
        return Columns(self.num_rows, lambda asked: read() if asked == name else self.look(asked))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Columns.of, (self.table(),))  # another process gets the values, since it may not find the file


def bytes_of(texts: pa.StringArray) -> NDArray[np.uint8]:
    """Return the (bytes,) UTF-8 of all texts, concatenated, without copying."""
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or data is None:
        return np.empty(0, np.uint8)
    first, last = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data, np.uint8)[first:last]
