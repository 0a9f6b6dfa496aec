"""The four file formats of a manifest: Parquet, JSON, JSONL and CSV. Each format stores all columns and the header.

- `.parquet`: the header is in the Arrow schema's metadata under `realface`.
- `.json`: RFFR's list `[{"path": .., "label": 0}, ..]`, which RFFR's code reads, plus optional columns. The list cannot
  contain a header, so the header is in a second file, `NAME.header.json`.
- `.jsonl`: the first line is `{"realface": {header}}`, followed by one row per line.
- `.csv`: the first line is `# realface {header}`, then column names, then rows. Lists are JSON text inside a cell. An
  empty cell is null, a quoted empty cell (`""`) the empty text. A file saved by a spreadsheet program is read too, if
  it is unambiguous: see `spreadsheet_csv`.

Use Parquet for millions of rows. JSON and JSONL omit null values. A file without header was made by another program:
it is read with the default header, and backslashes in its paths become slashes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from realface.core.errors import ManifestError, TextFileError
from realface.core.files import existing, write_json, written_atomically
from realface.core.text_files import decode_text
from realface.manifest.columns import Columns
from realface.manifest.schema import (
    SCHEMA,
    Place,
    conformed,
    conformed_column,
    lists_of_identities,
    no_values,
    require_known_columns,
    table_from_rows,
    wrong_value,
)
from realface.manifest.spreadsheet_csv import HEADER_MARK, delimiter_of, split_header, tidied

HEADER_KEY = "realface"
READ_ROWS = 131072
WRITE_ROWS = 65536

Header = dict[str, Any]


@dataclass(frozen=True)
class FileFormat:
    """The reader and writer of one suffix.

    Attributes:
        read: path -> every column of the schema, and the header's document or None.
        write: (table, header's document, path); the path is written in place, so give a temporary one.
    """

    read: Callable[[Path], tuple[Columns, Header | None]]
    write: Callable[[pa.Table, Header, Path], None]


def read_file(path: Path) -> tuple[Columns, Header | None]:
    """Read a manifest's columns and header.

    Raises:
        MissingInputError: the file does not exist.
        ManifestError: an unknown suffix, content that does not match the suffix, or invalid rows.
    """
    file_format = _format_of(path)
    columns, header = file_format.read(existing(path, what="manifest"))
    return (columns if header is not None else _with_slashes(columns)), header


def write_file(table: pa.Table, header: Header, path: Path) -> None:
    """Write a manifest atomically, in the format that the suffix names.

    Raises:
        ManifestError: an unknown suffix.
    """
    file_format = _format_of(path)
    with written_atomically(path) as temporary:
        file_format.write(table, header, temporary)
        if path.suffix.lower() == ".json":  # after the rows are written, so that a failure leaves the old pair
            write_json(header_beside(path), header)


def header_beside(path: Path) -> Path:
    """Return the path of a `.json` manifest's header: `NAME.header.json` in the same folder."""
    return path.with_suffix(".header.json")


def _format_of(path: Path) -> FileFormat:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ManifestError(f"{path}: a manifest ends in {', '.join(FORMATS)}, got {path.suffix or 'no suffix'}")
    return FORMATS[suffix]


def _with_slashes(columns: Columns) -> Columns:
    def slashed(name: str) -> pa.ChunkedArray:
        return pc.replace_substring(columns.look(name), pattern="\\", replacement="/")

    changed = columns
    for name in ("path", "source", "mask"):
        changed = changed.replaced(name, partial(slashed, name))
    return changed


# Parquet


def _read_parquet(path: Path) -> tuple[Columns, Header | None]:
    """Open a file; required columns are checked now, optional columns when they are read.

    The file stays open, so that all columns come from the same file even if the path is overwritten.
    """
    try:
        # what Parquet allows; pyarrow's own limit refuses headers, with the hashes of many sources, that it has written
        file = pa.parquet.ParquetFile(path, thrift_string_size_limit=2**31 - 1)
        schema = file.schema_arrow
        names = frozenset(schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: not a Parquet file, or a damaged one ({_one_line(error)})") from error
    require_known_columns(schema.names, where=str(path))
    for field in SCHEMA:
        if not field.nullable:
            for _ in _checked_chunks(file, field.name, path):
                pass
    text = (schema.metadata or {}).get(HEADER_KEY.encode())
    header = None if text is None else _parsed_header(text, str(path))
    num_rows = file.metadata.num_rows

    def read(name: str) -> pa.ChunkedArray:
        if name not in names:
            return no_values(name, num_rows)
        return pa.chunked_array(_checked_chunks(file, name, path), SCHEMA.field(name).type)

    return Columns(num_rows, read), header


def _checked_chunks(file: pa.parquet.ParquetFile, name: str, path: Path) -> Iterator[pa.Array]:
    """A column piece by piece; read at once it would take twice its memory on the way."""
    start = 0
    try:
        for batch in file.iter_batches(READ_ROWS, columns=[name]):
            column = pa.chunked_array([batch.column(0)])
            column.validate(full=True)  # Arrow reads text that is no UTF-8 without a word
            yield from conformed_column(column, name, where=str(path), place=_row_place(path, start)).chunks
            start += len(column)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{path}: damaged in column {name!r} ({_one_line(error)})") from error
    if start != file.metadata.num_rows:
        raise ManifestError(
            f"{path}: damaged in column {name!r} ({start} of {file.metadata.num_rows} rows are readable)"
        )


def _write_parquet(table: pa.Table, header: Header, path: Path) -> None:
    metadata = {HEADER_KEY: json.dumps(header, ensure_ascii=False)}
    pa.parquet.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


# JSON: RFFR's list


def _read_json(path: Path) -> tuple[Columns, Header | None]:
    rows = _parsed_json(_text(path), str(path))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ManifestError(f'{path}: expected a list of rows such as [{{"path": "a.png", "label": 0}}]')
    beside = header_beside(path)
    header = _parsed_header(_text(beside), str(beside)) if beside.exists() else None
    return Columns.of(table_from_rows(rows, where=str(path), place=_row_place(path))), header


def _write_json(table: pa.Table, _header: Header, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        separator = "[\n"
        for line in _json_lines(table):
            file.write(f"{separator}{line}")
            separator = ",\n"
        file.write("\n]\n" if len(table) else "[]\n")


# JSONL


def _read_jsonl(path: Path) -> tuple[Columns, Header | None]:
    content = _text(path).encode()
    first, _, rest = content.partition(b"\n")
    header = None
    if first.lstrip().startswith(f'{{"{HEADER_KEY}"'.encode()):
        header = _checked_header(_parsed_json(first, f"{path}:1")[HEADER_KEY], str(path))
        content = rest
    numbered = enumerate(content.decode().split("\n"), 1 if header is None else 2)
    lines = [(number, line) for number, line in numbered if line.strip()]
    rows = _rows_of_lines(path, lines)
    table = table_from_rows(rows, where=str(path), place=lambda row: f"{path}:{lines[row][0]}")
    return Columns.of(table), header


def _rows_of_lines(path: Path, lines: list[tuple[int, str]]) -> list[Header]:
    """Parse all lines together, which is fast; parse each line separately only after an error, to locate it.

    Arrow's reader is faster, but crashes the process on lines that are not objects.
    """
    rows: list[Any] = []
    with suppress(ValueError):
        rows = json.loads(f"[{','.join(line for _, line in lines)}]")
    if len(rows) != len(lines):
        rows = [_parsed_json(line, f"{path}:{number}") for number, line in lines]
    for (number, _), row in zip(lines, rows, strict=True):
        if not isinstance(row, dict):
            raise ManifestError(f'{path}:{number}: expected a row such as {{"path": "a.png", "label": 0}}')
    return rows


def _write_jsonl(table: pa.Table, header: Header, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps({HEADER_KEY: header}, ensure_ascii=False) + "\n")
        file.writelines(f"{line}\n" for line in _json_lines(table))


def _json_lines(table: pa.Table) -> Iterator[str]:
    for batch in table.to_batches(max_chunksize=WRITE_ROWS):
        for row in batch.to_pylist():
            yield json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)


# CSV


def _read_csv(path: Path) -> tuple[Columns, Header | None]:
    try:
        text, table = split_header(_text(path))
    except ValueError as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{path}: {error}") from error
    header = None if text is None else _parsed_header(text, str(path))
    if not table.strip():
        raise ManifestError(f"{path}: missing line of column names", hint="add at least the columns path and label")
    table, texts = _csv_table(path, table)
    require_known_columns(texts.column_names, where=str(path))
    place = _csv_place(path, table, first_line=2 if header is None else 3)  # the line before has the column names
    columns = {name: _from_texts(texts[name], name, place) for name in texts.column_names}
    return Columns.of(conformed(pa.table(columns), where=str(path), place=place)), header


def _csv_table(path: Path, table: str) -> tuple[str, pa.Table]:
    """The table and its cells; one that only a spreadsheet's habits make unreadable is tidied first."""
    if delimiter_of(table) != ",":
        table = tidied(table)
    try:
        texts = _csv_texts(table.encode())
        if "" not in texts.column_names:
            return table, texts
    except pa.ArrowException as error:
        if tidied(table) == table:
            raise ManifestError(f"{path}: not a CSV table ({_one_line(error)})") from error
    try:
        return tidied(table), _csv_texts(tidied(table).encode())
    except pa.ArrowException as error:
        raise ManifestError(f"{path}: not a CSV table ({_one_line(error)})") from error


def _csv_texts(content: bytes) -> pa.Table:
    names = pa.csv.open_csv(
        io.BytesIO(content), parse_options=pa.csv.ParseOptions(newlines_in_values=True)
    ).schema.names
    return pa.csv.read_csv(
        io.BytesIO(content),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _from_texts(texts: pa.ChunkedArray, name: str, place: Place) -> pa.ChunkedArray:
    kind = SCHEMA.field(name).type
    if pa.types.is_string(kind):
        return texts
    if name == "identities":
        texts = _as_json_lists(texts, place)
    try:
        if pa.types.is_list(kind):
            return _lists_from_texts(texts, kind)
        return texts.cast(kind)
    except (pa.ArrowException, ValueError) as error:
        for row, text in enumerate(texts.to_pylist()):
            try:
                one = pa.chunked_array([pa.array([text], pa.string())])
                _lists_from_texts(one, kind) if pa.types.is_list(kind) else one.cast(kind)
            except (pa.ArrowException, ValueError):
                raise wrong_value(place(row), name, text) from error
        raise


def _as_json_lists(texts: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """The cells of `identities` as JSON, where a cell may also be a text, as people write it."""
    is_json = pc.fill_null(pc.or_(pc.starts_with(pc.utf8_ltrim_whitespace(texts), "["), pc.equal(texts, "null")), True)
    if pc.all(is_json).as_py():
        return texts
    lists = lists_of_identities(pc.if_else(is_json, None, texts), place)
    written = [None if names is None else json.dumps(names) for names in lists.to_pylist()]
    return pc.if_else(is_json, texts, pa.chunked_array([pa.array(written, pa.string())]))


def _lists_from_texts(texts: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    parsed = json.loads(f"[{','.join(pc.fill_null(texts, 'null').to_pylist())}]")
    if len(parsed) != len(texts):  # a cell such as `1], [2`
        raise ValueError("a cell is more than one list")
    return pa.chunked_array([pa.array(parsed, kind)])


def _csv_place(path: Path, text: str, first_line: int) -> Place:
    """Count lines as an editor does: a cell may contain line breaks, and empty lines are not rows."""

    def place(row: int) -> str:
        reader = csv.reader(io.StringIO(text, newline=""))
        starts, start = [], 0
        for record in reader:
            if record:
                starts.append(start)
            start = reader.line_num
        return f"{path}:{first_line - 1 + starts[row + 1]}"  # + 1: the first record has the column names

    return place


def _write_csv(table: pa.Table, header: Header, path: Path) -> None:
    for index, field in enumerate(SCHEMA):
        if pa.types.is_list(field.type):
            texts = [
                None if value is None else json.dumps(value, ensure_ascii=False)
                for value in table.column(index).to_pylist()
            ]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    with path.open("wb") as file:
        file.write(f"{HEADER_MARK} {json.dumps(header, ensure_ascii=False)}\n".encode())
        pa.csv.write_csv(table, file)


# shared by the text formats


def _text(path: Path) -> str:
    try:
        return decode_text(path.read_bytes())  # spreadsheets write a byte order mark
    except TextFileError as error:
        raise ManifestError(f"{path}: {error.text}", hint=error.hint) from error


def _parsed_json(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ManifestError(f"{where}: not JSON ({_one_line(error)})") from error


def _parsed_header(text: str | bytes, where: str) -> Header:
    return _checked_header(_parsed_json(text, f"{where}: header"), where)


def _checked_header(document: Any, where: str) -> Header:
    if not isinstance(document, dict):
        raise ManifestError(f"{where}: the header must be an object, got {type(document).__name__}")
    return document


def _row_place(path: Path, start: int = 0) -> Place:
    return lambda row: f"{path}: row {start + row + 1}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


FORMATS: dict[str, FileFormat] = {
    ".parquet": FileFormat(_read_parquet, _write_parquet),
    ".json": FileFormat(_read_json, _write_json),
    ".jsonl": FileFormat(_read_jsonl, _write_jsonl),
    ".csv": FileFormat(_read_csv, _write_csv),
}
