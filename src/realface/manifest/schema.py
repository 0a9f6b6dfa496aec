"""The columns of a manifest, and turning any table or list of rows into them, with each fault named by its place."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from realface.core.errors import ManifestError
from realface.core.split_names import canonical_split

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
        pa.field("time_s", pa.float64()),
        pa.field("track", pa.int32()),
        pa.field("identities", pa.list_(pa.string())),
        pa.field("source", pa.string()),
        pa.field("original", pa.string()),
        pa.field("box", pa.list_(pa.float64())),
        pa.field("landmarks", pa.list_(pa.float64())),
        pa.field("mask", pa.string()),
        pa.field("sha256", pa.string()),
    ]
)
"""Type of every column; only `path` and `label` are never null."""
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)
BOX_LENGTH = 4
SHOWN = 3
LONGEST_NAME = 40
LABELS = pa.array([0, 1], pa.int8())
NOT_CONVERTIBLE = (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError)

Place = Callable[[int], str]
"""The location of a row, for messages: row number from 0 -> `faces.csv:7` or `faces.json: row 6`."""


def table_from_rows(rows: Sequence[Mapping[str, Any]], *, where: str, place: Place) -> pa.Table:
    """Turn mappings into a table with every column.

    Raises:
        ManifestError: a value of the wrong kind, an unknown or a missing column.
    """
    names = set().union(*rows) if rows else set(COLUMNS)
    require_known_columns(names, where=where)
    columns = {name: _array([row.get(name) for row in rows], name, place) for name in COLUMNS if name in names}
    return conformed(pa.table(columns), where=where, place=place)


def conformed(table: pa.Table, *, where: str, place: Place) -> pa.Table:
    """Return `table` with exactly the columns of `SCHEMA`, in order and type, and check the values.

    Missing optional columns become null.

    Raises:
        ManifestError: unknown or missing columns, or invalid values; the text begins with `where` or `place`.
    """
    require_known_columns(table.column_names, where=where)
    columns = [
        conformed_column(table.column(field.name), field.name, where=where, place=place)
        if field.name in table.column_names
        else no_values(field.name, len(table))
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def conformed_column(column: pa.ChunkedArray, name: str, *, where: str, place: Place) -> pa.ChunkedArray:
    """Return a column with its type in `SCHEMA`, and check its values.

    Every spelling of a split becomes `train`, `val` or `test`; identities in a single text become a list.

    Raises:
        ManifestError: invalid values; the text begins with `where` or `place`.
    """
    kind = SCHEMA.field(name).type
    if name == "identities" and pa.types.is_string(column.type):
        column = lists_of_identities(column, place)
    try:
        cast = column.cast(kind)
    except pa.ArrowException as error:
        raise ManifestError(f"{where}: column {name!r} must be {kind}, got {column.type}") from error
    _check_values(cast, name, place)
    return canonical_splits(cast) if name == "split" else cast


def canonical_splits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of splits in which every spelling of train, val and test is that name."""
    names = [name for name in pc.unique(column).to_pylist() if name is not None]
    other = [name for name in names if canonical_split(name) != name]
    for name in other:
        column = pc.if_else(pc.equal(column, name), canonical_split(name), column)
    return column


def lists_of_identities(column: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """Return a column of texts with identities separated by semicolons as a column of lists.

    Raises:
        ManifestError: an identity is empty.
    """
    texts = pc.unique(column).to_pylist()
    lists: dict[str | None, list[str] | None] = {None: None}
    for text in texts:
        if text is not None:
            try:
                lists[text] = split_identities(text)
            except ValueError as error:
                row = _first(pc.equal(column, text)) or 0
                raise ManifestError(f"{place(row)}: identities {error}") from error
    kind = SCHEMA.field("identities").type
    return pa.chunked_array([pa.array([lists[text] for text in column.to_pylist()], kind)], kind)


def split_identities(text: str) -> list[str]:
    """Return the identities in a text: `alice` is one, `alice; bob` are two.

    Raises:
        ValueError: a comma, which may separate people or be part of a name.
    """
    if "," in text:
        raise ValueError(f'must be separated by semicolons or be a JSON list such as ["a", "b"], got {text!r}')
    return [name.strip() for name in text.split(";") if name.strip()]


def no_values(name: str, num_rows: int) -> pa.ChunkedArray:
    """Return a column of nulls for a file without the column `name`."""
    return pa.chunked_array([pa.nulls(num_rows, SCHEMA.field(name).type)])


def require_known_columns(names: Iterable[str], *, where: str) -> None:
    """Raise an error for unknown column names and for missing required columns.

    Raises:
        ManifestError: an unknown or missing column; the text suggests a known column.
    """
    names = list(names)
    unknown = sorted(name for name in names if name not in COLUMNS)
    if unknown:
        more = f"; and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise ManifestError(f"{where}: {'; '.join(no_such_column(name) for name in unknown[:SHOWN])}{more}")
    for name in names:
        if names.count(name) > 1:
            raise ManifestError(f"{where}: duplicate column {name!r}")
    for field in SCHEMA:
        if not field.nullable and field.name not in names:
            raise ManifestError(
                f"{where}: column {field.name!r} is missing", hint="add it: path and label are required"
            )


def no_such_column(name: str) -> str:
    """Return the error text for an unknown column, with the column that was probably meant."""
    close = difflib.get_close_matches(name, COLUMNS, n=1)
    shown = repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...")
    return f"no such column {shown}; " + (f"did you mean {close[0]!r}?" if close else f"known: {', '.join(COLUMNS)}")


def _array(values: list[Any], name: str, place: Place) -> pa.Array:
    kind = SCHEMA.field(name).type
    values = [value.as_posix() if isinstance(value, PurePath) else value for value in values]
    if name == "identities":
        values = [_identities(value, row, place) for row, value in enumerate(values)]
    try:
        return typed_array(values, kind)
    except NOT_CONVERTIBLE as error:
        for row, value in enumerate(values):
            try:
                typed_array([value], kind)
            except NOT_CONVERTIBLE:
                raise wrong_value(place(row), name, value) from error
        raise


def _identities(value: Any, row: int, place: Place) -> Any:
    """Return a text as a list, and any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return split_identities(value)
    except ValueError as error:
        raise ManifestError(f"{place(row)}: identities {error}") from error


def typed_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return an Arrow array of exactly these values.

    Raises:
        One of `NOT_CONVERTIBLE`: a value of another kind.
    """
    if pa.types.is_integer(kind):  # Arrow would cut 0.5 down to 0
        inferred = pa.array(values)
        if not (pa.types.is_integer(inferred.type) or pa.types.is_null(inferred.type)):
            raise TypeError(f"expected whole numbers, got {inferred.type}")
        return inferred.cast(kind)
    if pa.types.is_list(kind) and any(isinstance(value, str) for value in values):  # Arrow would take its letters
        raise TypeError("expected lists, got a text")
    return pa.array(values, kind)


def wrong_value(place: str, name: str, value: Any) -> ManifestError:
    """Return the error for a value that is invalid in column `name`."""
    if name == "label":
        expected = "0 (real) or 1 (fake)"
    else:
        expected = {
            "string": "a text",
            "int32": "a whole number",
            "double": "a number",
            "list<element: string>": "a list of texts",
            "list<element: double>": "a list of numbers",
        }.get(str(SCHEMA.field(name).type).replace("item", "element"), str(SCHEMA.field(name).type))
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return ManifestError(f"{place}: {name} must be {expected}, got {shown}")


def _check_values(column: pa.ChunkedArray, name: str, place: Place) -> None:
    """Vectorised checks of every value; the first fault is named."""
    if not SCHEMA.field(name).nullable and (row := _first(pc.is_null(column))) is not None:
        raise ManifestError(f"{place(row)}: {name} is missing")
    if name == "path" and (row := _first(pc.equal(column, ""))) is not None:
        raise ManifestError(f"{place(row)}: path is empty")
    if name == "label" and (row := _first(pc.invert(pc.is_in(column, value_set=LABELS)))) is not None:
        raise wrong_value(place(row), "label", column[row].as_py())
    if name == "box" and (row := _first(pc.not_equal(pc.list_value_length(column), BOX_LENGTH))) is not None:
        raise ManifestError(f"{place(row)}: box must be four numbers (x0, y0, x1, y1), got {column[row].as_py()}")
    if name == "time_s" and (row := _first(pc.invert(pc.is_finite(column)))) is not None:
        raise ManifestError(f"{place(row)}: time_s must be a finite number, got {column[row].as_py()}")
    if pa.types.is_list(column.type):
        _check_lists(column, name, place)


def _check_lists(column: pa.ChunkedArray, name: str, place: Place) -> None:
    """Raise an error for nulls in lists, and for infinite numbers."""
    start = 0
    for chunk in column.chunks:
        flat = pc.list_flatten(chunk)
        wrong = pc.is_null(flat) if name == "identities" else pc.invert(pc.fill_null(pc.is_finite(flat), False))
        if (position := _first(wrong)) is not None:
            row = pc.list_parent_indices(chunk)[position].as_py()
            kind = "texts without null" if name == "identities" else "finite numbers"
            raise ManifestError(f"{place(start + row)}: {name} must be {kind}, got {chunk[row].as_py()}")
        start += len(chunk)


def _first(mask: pa.Array | pa.ChunkedArray) -> int | None:
    """Return the position of the first true value; None if all are false."""
    position = int(pc.index(mask, True).as_py())
    return None if position < 0 else position
