"""CSV manifests as spreadsheet programs save them.

A spreadsheet splits the header line at its commas, puts quotes around the pieces, may separate cells by semicolons or
tabs, and fills rows up with empty cells. All of that can be undone; a header with other changes cannot be read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

HEADER_MARK = "# realface"
REQUIRED_NAMES = frozenset({"path", "label"})
_DELIMITERS = (",", ";", "\t")
_ADDED = ",;\t\r "


def split_header(content: str) -> tuple[str | None, str]:
    """Return the JSON text of the header, None if there is no header line, and the table that follows.

    Raises:
        ValueError: the header line cannot be read any more.
    """
    first, _, table = content.partition("\n")
    if not first.lstrip('" ').startswith(HEADER_MARK):
        return None, content
    for text in _headers(first):
        try:
            json.loads(text)
        except ValueError:
            continue
        return text, table
    raise ValueError(
        "header: not JSON, because the header line was changed, as spreadsheets do; export the manifest again, or "
        "remove that line to read it as crops made elsewhere"
    )


def _headers(line: str) -> Iterator[str]:
    """Yield possible readings of the header line: unchanged, without the added end, and joined from cells."""
    yield line.removeprefix(HEADER_MARK)
    yield line.rstrip(_ADDED).removeprefix(HEADER_MARK)
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter))
        yield ",".join(cells).rstrip(_ADDED).removeprefix(HEADER_MARK)


def delimiter_of(table: str) -> str:
    """Return what separates the names of columns in the first line; a comma unless another fits."""
    first = table.lstrip("\r\n").partition("\n")[0]
    return next((each for each in _DELIMITERS if set(_cells(first, each)) >= REQUIRED_NAMES), ",")


def tidied(table: str) -> str:
    """Return the table with commas between its cells, and without the empty cells at the end of rows.

    Every record stays on its line. The result does not distinguish empty cells from quoted empty cells.
    """
    delimiter = delimiter_of(table)
    records = list(csv.reader(io.StringIO(table, newline=""), delimiter=delimiter))
    width = next((len(_without_empty_end(record)) for record in records if any(record)), 0)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for record in records:
        cells = _without_empty_end(record)
        writer.writerow(cells + [""] * (width - len(cells)) if cells else [])
    return out.getvalue()


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _without_empty_end(record: Sequence[str]) -> list[str]:
    cells = list(record)
    while cells and not cells[-1]:
        cells.pop()
    return cells
