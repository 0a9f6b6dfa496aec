import pickle

import pyarrow as pa
import pytest

from realface.manifest.columns import Columns
from realface.manifest.schema import COLUMNS, table_from_rows


def table_of(*paths):
    rows = [{"path": path, "label": 0, "video": f"of {path}"} for path in paths]
    return table_from_rows(rows, where="rows", place=str)


class Recorded:
    """Columns that note which of them were read."""

    def __init__(self, *paths):
        self.read = []
        self._table = table_of(*paths)
        self.columns = Columns(len(paths), self._look)

    def _look(self, name):
        self.read.append(name)
        return self._table[name]


def test_a_column_is_read_once_when_it_is_asked_for():
    recorded = Recorded("a", "b")
    assert recorded.read == []
    assert [recorded.columns["path"].to_pylist() for _ in range(2)] == [["a", "b"]] * 2
    assert recorded.read == ["path"]


def test_a_column_that_is_only_looked_at_is_not_kept():
    recorded = Recorded("a")
    assert [recorded.columns.look("path").to_pylist() for _ in range(2)] == [["a"]] * 2
    assert recorded.read == ["path", "path"]
    recorded.columns["path"]
    recorded.columns.look("path")
    assert recorded.read == ["path"] * 3


def test_filtering_taking_joining_and_replacing_read_nothing():
    recorded = Recorded("a", "b", "c")
    kept = recorded.columns.filter(pa.chunked_array([[True, False, True]]))
    taken = kept.take(pa.array([1, 0, 0]))
    joined = Columns.joined([taken, recorded.columns])
    replaced = joined.replaced("video", lambda: pa.chunked_array([["v"] * 6]))
    assert [part.num_rows for part in (kept, taken, joined, replaced)] == [2, 3, 6, 6]
    assert recorded.read == []
    assert replaced["path"].to_pylist() == ["c", "a", "a", "a", "b", "c"]
    assert replaced["video"].to_pylist() == ["v"] * 6
    assert set(recorded.read) == {"path"}


def test_a_filter_that_keeps_all_and_a_join_of_one_share_what_was_read():
    columns = Recorded("a", "b").columns
    assert columns.filter(pa.chunked_array([[True, True]])) is columns
    assert Columns.joined([columns]) is columns


def test_the_table_has_the_columns_of_the_schema_or_those_that_are_named():
    columns = Columns.of(table_of("a", "b"))
    assert columns.table().equals(table_of("a", "b"))
    assert columns.table(["label", "path"]).column_names == ["label", "path"]
    assert columns.table().column_names == list(COLUMNS)


def test_another_process_gets_the_values():
    columns = pickle.loads(pickle.dumps(Recorded("a", "b").columns.take(pa.array([1]))))
    assert columns.table().equals(table_of("b"))


def test_parts_without_rows_are_joined_too():
    empty = Columns.joined([Columns.of(table_of("a")).filter(pa.chunked_array([[False]]))] * 2)
    assert empty.num_rows == 0
    assert empty["identities"].type == table_of("a")["identities"].type


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_of_a_filtered_part_has_the_type_of_the_schema(name):
    table = table_of("a", "b")
    assert Columns.of(table).filter(pa.chunked_array([[False, True]]))[name].type == table[name].type
