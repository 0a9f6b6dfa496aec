"""Numbers with intervals and counts in JSON."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from realface.core.errors import MetricError, MissingInputError
from realface.evaluation.results import Result, false_alarm_results, pair_results, read_results, write_results
from realface.metrics.score_table import ScoreTable
from realface.metrics.summary import summarise


@pytest.fixture
def pairs(tmp_path):
    """A table of two kinds, made from two faces of different sources."""
    columns = {
        "kind": ["swap", "swap", "mouth", "mouth"],
        "identity": ["a", "b", "a", "b"],
        "source": ["lfw", "ffhq", "lfw", "ffhq"],
        "real_logit": [0.0, 2.0, 0.0, 2.0],
        "fake_logit": [1.0, 3.0, 3.0, 4.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


def test_results_come_back_as_they_were_written(tmp_path):
    results = [Result(name="pseudo-fakes", data="test", metric="auc", value=0.5, low=None, high=None, n=4)]
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path / "results.json") == results


def test_pairs_give_numbers_of_all_by_kind_and_by_source(pairs):
    found = {(each.metric, each.kind, each.source): each for each in pair_results(pairs, data="test")}
    values = {key: each.value for key, each in found.items()}
    assert values == {
        ("auc", "all", "all"): pytest.approx((3 / 4 + 1) / 2),
        ("pair order", "all", "all"): 1.0,
        ("auc", "swap", "all"): pytest.approx(3 / 4),
        ("auc", "mouth", "all"): 1.0,
        ("auc", "all", "ffhq"): 1.0,
        ("auc", "all", "lfw"): 1.0,
    }
    assert (found["auc", "all", "all"].n, found["auc", "all", "all"].groups) == (4, 2)
    assert found["auc", "all", "lfw"].low is None, "one identity has no interval"


def test_false_alarms_are_counted_of_all_and_by_source():
    found = false_alarm_results(
        np.array([True, False, False]), identities=["a", "b", "c"], sources=["x", "x", ""], data="test"
    )
    assert [(each.source, each.value, each.n) for each in found] == [
        ("all", pytest.approx(1 / 3), 3),
        ("(not named)", 0.0, 1),
        ("x", 0.5, 2),
    ]


def test_numbers_of_an_evaluation_are_read(tmp_path):
    table = ScoreTable.from_columns(
        path=list("abcd"), label=[0, 0, 1, 1], method=[None, None, "m", "m"], score=[0.1, 0.6, 0.5, 0.9]
    )
    document = {"format": 1, "manifests": [{"path": "/data/faces/test.parquet"}]}
    document |= summarise(table, threshold=0.5, num_resamples=0).to_json()
    (tmp_path / "metrics.json").write_text(json.dumps(document), encoding="utf-8")
    found = {(each.metric, each.kind): each for each in read_results(tmp_path / "metrics.json")}
    assert found["auc", "m"].value == pytest.approx(3 / 4)
    assert found["auc", "all"].data == "faces/test.parquet"
    assert (found["auc", "all"].n, found["auc", "all"].groups) == (4, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON .*; measure again"),
        ('{"format": 7}', "expected results in format 1; measure again"),
        ('{"format": 1}', "has no list of results; give results.json of `realface train`, or metrics.json"),
        ('{"format": 1, "results": [{"name": "x"}]}', "a result: 4 faults"),
        ('{"format": 1, "per_method": {}, "manifests": [{}]}', "is not what `realface evaluate` writes"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    with pytest.raises(MetricError, match=message):
        read_results(tmp_path / "results.json")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"results .*none.json does not exist"):
        read_results(tmp_path / "none.json")
    with pytest.raises(MetricError, match=r"is a folder; give .*metrics.json"):
        read_results(tmp_path)
