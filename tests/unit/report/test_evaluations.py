import json
from pathlib import Path

import pytest

from realface.core.errors import MetricError, MissingInputError
from realface.report.evaluations import read_evaluations


def test_a_folder_is_read_whole(tmp_path, build_folder):
    (evaluation,) = read_evaluations([build_folder(tmp_path / "mine")])
    assert evaluation.name == "mine"
    assert evaluation.document["threshold"] == 0.55
    assert len(evaluation.table) == 36
    assert len(evaluation.examples) == 1


def test_a_folder_without_examples_is_read_too(tmp_path, build_folder):
    assert read_evaluations([build_folder(tmp_path / "mine", examples=False)])[0].examples == []


def test_folders_of_the_same_name_are_told_apart_by_their_paths(tmp_path, build_folder):
    folders = [build_folder(tmp_path / name / "test") for name in ("a", "b")]
    assert [each.name for each in read_evaluations(folders)] == [str(folder) for folder in folders]


def test_a_pictures_name_cannot_lead_out_of_the_folder(tmp_path, build_folder):
    (evaluation,) = read_evaluations([build_folder(tmp_path / "mine")])
    assert evaluation.image_path("../../secret.png") == tmp_path / "mine" / "examples" / "secret.png"


def test_no_folder_is_refused():
    with pytest.raises(MissingInputError, match="no evaluation given"):
        read_evaluations([])


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"evaluation .*gone does not exist"):
        read_evaluations([tmp_path / "gone"])


@pytest.mark.parametrize("name", ["metrics.json", "scores.parquet"])
def test_a_folder_of_something_else_is_refused(tmp_path, build_folder, name):
    folder = build_folder(tmp_path / "mine")
    (folder / name).unlink()
    with pytest.raises(MissingInputError, match=f"has no {name}; pass the output folder of `realface evaluate`"):
        read_evaluations([folder])


def test_metrics_that_are_no_json_are_refused(tmp_path, build_folder):
    folder = build_folder(tmp_path / "mine")
    (folder / "metrics.json").write_text("{")
    with pytest.raises(MetricError, match=r"metrics.json is not JSON .*; run `realface evaluate` again"):
        read_evaluations([folder])


@pytest.mark.parametrize("document", [{"format": 2}, [], {}])
def test_another_format_is_refused_with_both_numbers(tmp_path: Path, build_folder, document):
    folder = build_folder(tmp_path / "mine")
    (folder / "metrics.json").write_text(json.dumps(document))
    with pytest.raises(MetricError, match=r"metrics.json: expected format 1, got"):
        read_evaluations([folder])


def test_missing_parts_are_all_named(tmp_path, build_folder):
    folder = build_folder(tmp_path / "mine", video=None, notes="text")
    with pytest.raises(MetricError, match="notes, video missing or of the wrong type; run `realface evaluate` again"):
        read_evaluations([folder])
