"""The score table: one row per crop, the file from which every metric, interval and figure is computed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from realface.core.errors import MetricError
from realface.core.files import existing, written_atomically
from realface.core.labels import Label
from realface.core.text_files import is_utf16

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.int8(), nullable=False),
        pa.field("dataset", pa.string()),
        pa.field("split", pa.string()),
        pa.field("method", pa.string()),
        pa.field("compression", pa.string()),
        pa.field("video", pa.string()),
        pa.field("frame", pa.int32()),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
REQUIRED = ("path", "label", "score")
VIDEO_IDENTITY = ("dataset", "method", "compression", "video")
"""A bare video name repeats: the four fakes of one FaceForensics++ real differ in their method only."""
SUFFIXES = (".parquet", ".csv")


class ScoreTable:
    """Scores of crops or of whole videos, with the columns that group them.

    Attributes:
        table: Arrow table of `SCHEMA`. Missing columns are null; columns outside the schema are dropped.

    Example:
        >>> table = ScoreTable.from_columns(path=["a.png", "b.png"], label=[0, 1], score=[0.1, 0.9])
        >>> table.labels.tolist()
        [0, 1]
    """

    def __init__(self, table: pa.Table, *, where: str = "score table") -> None:
        """Check `table` and bring it to the schema.

        Raises:
            MetricError: a required column is missing, a label is not 0 or 1, or a score is not a number in [0, 1].
                `where` opens the text.
        """
        missing = [name for name in REQUIRED if name not in table.column_names]
        if missing:
            raise MetricError(
                f"{where}: no column {', '.join(missing)}", hint=f"add it: {', '.join(REQUIRED)} are required"
            )
        self.table = _in_schema(table, where)
        _check_labels_and_scores(self.table, where)

    @classmethod
    def from_columns(cls, **columns: Sequence[Any] | NDArray[Any]) -> ScoreTable:
        """Return a table from one sequence per column, such as `path=[...], label=[...], score=[...]`.

        Args:
            **columns: (N,) each, by the column's name.
        """
        return cls(pa.table({name: pa.array(values, from_pandas=False) for name, values in columns.items()}))

    @classmethod
    def concatenate(cls, tables: Sequence[ScoreTable]) -> ScoreTable:
        """Return the rows of all tables, in order."""
        return cls(pa.concat_tables([each.table for each in tables] or [SCHEMA.empty_table()]))

    @classmethod
    def read(cls, path: Path) -> ScoreTable:
        """Read a `.parquet` or `.csv` file.

        Raises:
            MissingInputError: no such file.
            MetricError: another format, an unreadable file, or content as in the constructor.
        """
        suffix = _known_suffix(path)
        existing(path, what="score table")
        try:
            if suffix == ".parquet":
                table = pa.parquet.read_table(path)
            else:
                options = pa.csv.ConvertOptions(
                    column_types=SCHEMA, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
                )
                with path.open("rb") as file:
                    if is_utf16(file.read(4096)):
                        raise MetricError(f"{path}: UTF-16 text", hint="save it as UTF-8")
                table = pa.csv.read_csv(path, convert_options=options)
        except pa.ArrowInvalid as error:
            raise MetricError(f"{path} is no score table: {' '.join(str(error).split())}") from error
        return cls(table, where=str(path))

    def write(self, path: Path) -> None:
        """Write atomically, in the format of the suffix (`.parquet` or `.csv`).

        Raises:
            MetricError: another suffix.
        """
        suffix = _known_suffix(path)
        with written_atomically(path) as temporary:
            if suffix == ".parquet":
                pa.parquet.write_table(self.table, temporary)
            else:
                pa.csv.write_csv(self.table, temporary)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,), 1 = fake."""
        return np.asarray(self.table["label"].to_numpy(), dtype=np.int64)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(N,), in [0, 1], the probability of a forgery."""
        return np.asarray(self.table["score"].to_numpy(), dtype=np.float64)

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values, None where nothing is known."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> ScoreTable:
        """Return the rows where a mask (N,) is true, or the rows of the given numbers, in that order."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return ScoreTable(self.table.take(pa.array(indices)))

    @cached_property
    def num_unnamed(self) -> int:
        """Number of rows without a video; each counts as one video."""
        return int(self.table["video"].null_count)

    @property
    def unit(self) -> str:
        """Unit of a row of `video_level`: `video`, or `crop` if every row is without a video."""
        return "crop" if self.num_unnamed == len(self) > 0 else "video"

    @cached_property
    def video_numbers(self) -> NDArray[np.int64]:
        """Index of each row's video, (N,) int64, numbered in order of first appearance.

        A video is a distinct (dataset, method, compression, video). A row without `video` counts as one video.

        Raises:
            MetricError: a video has both real and fake rows.
        """
        key = np.zeros(len(self), dtype=np.int64)
        for name in VIDEO_IDENTITY:
            codes = _codes(self.table[name])
            key = _compact(key * (codes.max(initial=0) + 1) + codes)
        alone = self.table["video"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        key[alone] = key.max(initial=0) + 1 + np.flatnonzero(alone)
        numbers = _in_order_of_appearance(key)
        self._check_one_label(numbers)
        return numbers

    def video_level(self) -> ScoreTable:
        """Return one row per video, in order of first appearance, with the mean of its rows' scores.

        All other columns are copied from the video's first row; `frame` is null.

        Raises:
            MetricError: a video has both real and fake rows.
        """
        numbers = self.video_numbers
        first = np.unique(numbers, return_index=True)[1]
        means = np.bincount(numbers, weights=self.scores) / np.bincount(numbers)
        rows = self.table.take(pa.array(first))
        rows = rows.set_column(SCHEMA.get_field_index("frame"), "frame", pa.nulls(len(first), pa.int32()))
        # a mean of numbers in [0, 1] may round to just above 1
        scores = pa.array(np.clip(means, 0.0, 1.0))
        return ScoreTable(rows.set_column(SCHEMA.get_field_index("score"), "score", scores))

    def _check_one_label(self, numbers: NDArray[np.int64]) -> None:
        fakes = np.bincount(numbers, weights=self.labels)
        mixed = (fakes > 0) & (fakes < np.bincount(numbers))
        if mixed.any():
            row = int(np.flatnonzero(mixed[numbers])[0])
            name = "/".join(self.table[part][row].as_py() or "-" for part in VIDEO_IDENTITY)
            raise MetricError(
                f"video {name} has real and fake rows, and {int(mixed.sum())} such in all",
                hint="give reals and fakes another `video`, `method` or `dataset`",
            )


def _in_schema(table: pa.Table, where: str) -> pa.Table:
    columns = []
    for field in SCHEMA:
        try:
            column = (
                table[field.name].cast(field.type)
                if field.name in table.column_names
                else pa.chunked_array([pa.nulls(table.num_rows, field.type)])
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            hint = "; labels are 0 (real) or 1 (fake)" if field.name == "label" else ""
            raise MetricError(f"{where}: column {field.name} must be {field.type}: {error}{hint}") from error
        columns.append(column.combine_chunks())
    return pa.table(columns, names=SCHEMA.names)


def _check_labels_and_scores(table: pa.Table, where: str) -> None:
    """Refuse the first row at fault; a comparison with null or NaN is not true, so they are at fault too."""
    valid = {
        "label": (
            pc.is_in(table["label"], pa.array([int(label) for label in Label], pa.int8())),
            "0 (real) or 1 (fake)",
        ),
        "score": (pc.and_(pc.greater_equal(table["score"], 0), pc.less_equal(table["score"], 1)), "a number in [0, 1]"),
        "path": (pc.is_valid(table["path"]), "given"),
    }
    for name, (is_valid, expected) in valid.items():
        faults = np.flatnonzero(~pc.fill_null(is_valid, False).to_numpy())
        if len(faults):
            row = int(faults[0])
            more = f" (and {len(faults) - 1} more rows)" if len(faults) > 1 else ""
            raise MetricError(
                f"{where}: row {row} ({table['path'][row].as_py()}): {name} must be {expected}, "
                f"got {table[name][row].as_py()}{more}"
            )


def _known_suffix(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise MetricError(f"{path}: a score table is a {' or '.join(SUFFIXES)} file")
    return path.suffix.lower()


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number for each distinct value, (N,) int64; 0 for null."""
    indices = column.combine_chunks().dictionary_encode().indices
    codes = pc.fill_null(pc.add(indices.cast(pa.int64()), 1), 0)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _compact(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same grouping with numbers from 0 up, so that products of numbers stay small."""
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _in_order_of_appearance(key: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
