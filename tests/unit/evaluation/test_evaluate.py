import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import (
    CropSpecError,
    ManifestError,
    MediaError,
    MetricError,
    MissingInputError,
    OutputExistsError,
    StoppedBySignal,
)
from realface.core.recipe import Section
from realface.data.dataset import CropDataset
from realface.evaluation.evaluate import evaluate_artifact
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import read_image, write_image
from realface.metrics.score_table import ScoreTable
from realface.models import catalog
from realface.models.artifact import save_artifact
from realface.models.outputs import ReconstructionOutput

SPEC = CropSpec(face_detector="mtcnn", size=32)


class BrightnessConfig(Section):
    name: Literal["brightness"] = "brightness"
    input_size: int = 8


class Brightness(nn.Module):
    """Scores the mean grey; reconstructs the negative, so that an error map is known too."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, image):
        grey = image.double().mean(dim=(1, 2, 3)) * self.gain
        error_map = (image - (1 - image)).abs().mean(dim=1, keepdim=True)
        return ReconstructionOutput(grey.clamp(0.01, 0.99).logit(), reconstruction=1 - image, error_map=error_map)


@pytest.fixture(autouse=True)
def brightness_method(monkeypatch):
    method = catalog.Method("brightness", "a test's", BrightnessConfig, Brightness, lambda network: network)
    monkeypatch.setitem(catalog.METHODS, "brightness", method)


def build_artifact(folder: Path, **changes) -> Path:
    network = Brightness(BrightnessConfig())
    values = {"method": "brightness", "config": network.config.model_dump(), "input_size": 8, "crop": SPEC}
    save_artifact(folder, network, ArtifactCard(**(values | {"threshold": 0.5, "purpose": "research"} | changes)))
    return folder


@dataclass
class Row:
    grey: int
    label: int
    video: str | None
    method: str | None = None
    split: str | None = "test"
    mask: str | None = None


ROWS = [
    Row(50, 0, "a"),
    Row(70, 0, "a"),
    Row(180, 0, "b"),
    Row(150, 1, "a", "FaceSwap"),
    Row(200, 1, "b", "FaceSwap"),
    Row(90, 1, "a", "SelfBlend"),
    Row(250, 1, "b", "SelfBlend"),
    Row(10, 0, "c", split="train"),
]


def build_manifest(folder: Path, rows=ROWS, *, crop=SPEC) -> Path:
    for number, row in enumerate(rows):
        write_image(folder / f"{number}.png", np.full((16, 16, 3), row.grey, np.uint8))
    columns = [
        {"path": f"{n}.png", "label": r.label, "video": r.video, "method": r.method, "split": r.split}
        | {"mask": r.mask, "original": r.video if r.label else None}
        for n, r in enumerate(rows)
    ]
    Manifest.from_rows(columns, root=folder, header=ManifestHeader(crop=crop)).write(folder / "manifest.parquet")
    return folder / "manifest.parquet"


def evaluate(tmp_path, *manifests, artifact=None, out="out", **options):
    options = {"device": "cpu", "quiet": True, "num_resamples": 50} | options
    artifact = artifact or build_artifact(tmp_path / "artifact")
    return evaluate_artifact(artifact, manifests or [build_manifest(tmp_path / "crops")], tmp_path / out, **options)


def test_scores_numbers_and_examples_are_written(tmp_path):
    evaluation = evaluate(tmp_path)
    assert sorted(path.name for path in evaluation.out.iterdir()) == ["examples", "metrics.json", "scores.parquet"]
    table = ScoreTable.read(evaluation.out / "scores.parquet")
    assert table.scores == pytest.approx([grey / 255 for grey in (50, 70, 180, 150, 200, 90, 250)], abs=2**-24)
    assert json.loads((evaluation.out / "metrics.json").read_text()) == evaluation.document
    # videos: reals 60 and 180, fakes 150, 200, 90, 250; 2 of 8 pairs are the wrong way round
    assert evaluation.summary.overall.video["auc"].value == pytest.approx(6 / 8)
    assert evaluation.document["per_method"]["FaceSwap"]["video"]["auc"]["value"] == pytest.approx(3 / 4)


def build_masked_manifest(folder: Path) -> Path:
    half = np.zeros((16, 16), np.uint8)
    half[:8] = 255
    write_image(folder / "half.png", half)
    masked = [Row(r.grey, r.label, r.video, r.method, r.split, "half.png" if r.label else None) for r in ROWS]
    return build_manifest(folder, masked)


def test_error_maps_are_compared_with_masks_where_there_are_any(tmp_path):
    evaluation = evaluate(tmp_path, build_masked_manifest(tmp_path / "crops"))
    names = sorted(path.name for path in evaluation.out.iterdir())
    assert names == ["examples", "localisation.parquet", "metrics.json", "scores.parquet"]
    document = json.loads((evaluation.out / "metrics.json").read_text())
    assert document == evaluation.document
    overall = document["localisation"]["overall"]
    assert (overall["num_crops"], overall["num_videos"]) == (4, 4)
    assert overall["pixel_auc"]["value"] == 0.5  # plain greys: the map says the same everywhere
    assert overall["iou"]["value"] == pytest.approx(overall["chance_iou"]["value"])
    # |2 grey - 1| of 150, 200, 90, 250, and of the originals' first crops, 50 and 180
    of = {grey: abs(2 * grey / 255 - 1) for grey in (150, 200, 90, 250, 50, 180)}
    inside = overall["error_inside"]
    assert inside["fake"]["value"] == pytest.approx(np.mean([of[150], of[200], of[90], of[250]]), abs=1e-7)
    assert inside["real"]["value"] == pytest.approx(np.mean([of[50], of[180]]), abs=1e-7)
    assert list(document["localisation"]["per_method"]) == ["FaceSwap", "SelfBlend"]
    assert evaluation.localisation.overall.pixel_auc.value == 0.5


def test_fakes_of_several_manifests_are_localised_together(tmp_path):
    manifests = [build_masked_manifest(tmp_path / "first"), build_manifest(tmp_path / "second")]
    evaluation = evaluate(tmp_path, *manifests, build_masked_manifest(tmp_path / "third"))
    assert evaluation.localisation.overall.num_videos == 8


def test_without_masks_nothing_is_said_of_localisation(tmp_path):
    evaluation = evaluate(tmp_path)
    assert evaluation.localisation is None
    assert "localisation" not in evaluation.document


def test_the_document_says_what_was_measured_on_what(tmp_path):
    manifest = build_manifest(tmp_path / "crops")
    document = evaluate(tmp_path, manifest).document
    assert document["format"] == 1
    assert document["artifact"]["method"] == "brightness"
    assert document["artifact"]["crop"] == SPEC.describe()
    assert document["manifests"] == [
        {
            "path": str(manifest),
            "sha256": Manifest.read(manifest).sha256(),
            "split": "test",
            "rows": 7,
            "rows_in_file": 8,
            "crop": SPEC.describe(),
        }
    ]
    assert document["notes"] == []
    assert "torch" in document["provenance"]["packages"]


def test_the_same_input_gives_the_same_scores_numbers_and_pictures(tmp_path):
    manifest = build_manifest(tmp_path / "crops")
    first, second = (evaluate(tmp_path, manifest, out=name) for name in ("one", "two"))
    assert first.summary == second.summary
    names = sorted(str(path.relative_to(first.out)) for path in first.out.rglob("*.p*"))
    assert len(names) > 5
    assert all((first.out / name).read_bytes() == (second.out / name).read_bytes() for name in names)


def test_without_test_rows_all_are_taken(tmp_path):
    rows = [Row(row.grey, row.label, row.video, row.method, split=None) for row in ROWS]
    evaluation = evaluate(tmp_path, build_manifest(tmp_path / "crops", rows))
    assert evaluation.document["manifests"][0]["split"] == "all"
    assert evaluation.document["manifests"][0]["rows"] == 8


def test_rows_that_training_saw_are_measured_only_with_a_note(tmp_path):
    evaluation = evaluate(tmp_path, split="all")
    assert len(ScoreTable.read(evaluation.out / "scores.parquet")) == 8
    assert "rows of train are among those measured; this is no test" in evaluation.notes[0]


def test_crops_that_name_no_video_get_no_interval_by_video_and_a_note(tmp_path):
    rows = [Row(row.grey, row.label, None, row.method) for row in ROWS]
    evaluation = evaluate(tmp_path, build_manifest(tmp_path / "crops", rows))
    assert evaluation.notes == [
        "no crop names its video, so each counts as its own video; intervals are too narrow if several show the same "
        "video"
    ]
    assert evaluation.document["notes"] == evaluation.notes
    assert evaluation.document["video"]["auc"]["low"] is None
    assert evaluation.document["frame"]["auc"]["low"] is not None
    assert evaluation.document["counts"]["unnamed_frames"] == 8


def test_a_few_crops_that_name_no_video_are_counted_in_a_note(tmp_path):
    rows = [*ROWS[:6], Row(250, 1, None, "SelfBlend")]
    evaluation = evaluate(tmp_path, build_manifest(tmp_path / "crops", rows))
    assert evaluation.notes[0].startswith("1 of 7 crops name no video, so each of these counts as its own video; ")
    assert evaluation.document["video"]["auc"]["low"] is None


@pytest.mark.parametrize("asked", ["testing", "Test"])
def test_a_split_may_be_asked_for_in_any_spelling(tmp_path, asked):
    (test_set,) = evaluate(tmp_path, split=asked).document["manifests"]
    assert (test_set["split"], test_set["rows"]) == ("test", 7)


def test_a_split_without_rows_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ManifestError, match=r"no rows of split 'val': it has test, train; use --split all"):
        evaluate(tmp_path, split="val")
    assert not (tmp_path / "out").exists()


def test_crops_of_another_spec_are_refused_with_both_named(tmp_path):
    manifest = build_manifest(tmp_path / "crops", crop=SPEC.model_copy(update={"margin": 0.5}))
    with pytest.raises(
        CropSpecError, match=r"manifest.parquet contains .*margin 0.5.* but .*artifact expects .*margin 0.3"
    ):
        evaluate(tmp_path, manifest)
    assert not (tmp_path / "out").exists()


def test_unknown_crops_are_noted(tmp_path):
    evaluation = evaluate(tmp_path, build_manifest(tmp_path / "crops", crop=CropSpec.unknown()))
    assert len(evaluation.notes) == 1
    assert "unknown crop settings" in evaluation.notes[0]


def test_an_unknown_model_is_noted(tmp_path):
    artifact = build_artifact(tmp_path / "unknown", crop=CropSpec.unknown())
    assert str(artifact) in evaluate(tmp_path, artifact=artifact).notes[0]


def test_a_demonstration_model_says_so(tmp_path):
    artifact = build_artifact(tmp_path / "demo", purpose="demonstration")
    assert "mean nothing about real videos" in evaluate(tmp_path, artifact=artifact).notes[0]


def test_a_run_folder_stands_for_its_artifact(tmp_path):
    build_artifact(tmp_path / "run" / "artifact")
    evaluation = evaluate(tmp_path, artifact=tmp_path / "run")
    assert evaluation.document["artifact"]["folder"] == str(tmp_path / "run" / "artifact")


def test_a_row_whose_file_is_gone_is_reported_and_the_rest_measured(tmp_path):
    manifest = build_manifest(tmp_path / "crops")
    (tmp_path / "crops" / "4.png").unlink()
    evaluation = evaluate(tmp_path, manifest)
    assert [failure.path for failure in evaluation.failed] == [str(tmp_path / "crops" / "4.png")]
    assert evaluation.document["failed"] == [{"path": str(tmp_path / "crops" / "4.png"), "reason": "missing file"}]
    assert "1 of 7 crops could not be read" in evaluation.notes[0]
    index = json.loads((evaluation.out / "examples" / "examples.json").read_text())
    for example in index["examples"]:  # rows behind the missing one must still find their own file
        face = read_image(evaluation.out / "examples" / example["files"]["face"])
        assert face.mean() == pytest.approx(read_image(tmp_path / "crops" / example["path"]).mean())


def test_when_no_file_can_be_read_nothing_is_written(tmp_path):
    manifest = build_manifest(tmp_path / "crops")
    for picture in (tmp_path / "crops").glob("*.png"):
        picture.unlink()
    with pytest.raises(MediaError, match="none of 7 crops can be read; the first:"):
        evaluate(tmp_path, manifest)
    assert not (tmp_path / "out").exists()


def test_videos_of_the_same_name_in_two_manifests_stay_apart(tmp_path):
    manifests = [build_manifest(tmp_path / name) for name in ("first", "second")]
    evaluation = evaluate(tmp_path, *manifests)
    assert evaluation.summary.overall.counts.real_videos == 4
    datasets = ScoreTable.read(evaluation.out / "scores.parquet").column("dataset")
    assert datasets == [str(manifests[0])] * 7 + [str(manifests[1])] * 7


def test_a_manifest_given_twice_is_refused(tmp_path):
    manifest = build_manifest(tmp_path / "crops")
    with pytest.raises(ManifestError, match="is given twice, and every row would count double"):
        evaluate(tmp_path, manifest, tmp_path / "crops" / ".." / "crops" / "manifest.parquet")


def test_no_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="no manifest to evaluate on"):
        evaluate_artifact(build_artifact(tmp_path / "artifact"), [], tmp_path / "out")


def test_a_video_with_both_labels_is_refused_before_scoring(tmp_path):
    rows = [Row(10, 0, "a", "FaceSwap"), Row(20, 1, "a", "FaceSwap")]
    with pytest.raises(MetricError, match="video -/FaceSwap/-/a has real and fake rows"):
        evaluate(tmp_path, build_manifest(tmp_path / "crops", rows))
    assert not (tmp_path / "out").exists()


def test_one_class_is_said_and_not_a_number(tmp_path):
    evaluation = evaluate(tmp_path, build_manifest(tmp_path / "crops", ROWS[:3]))
    auc = evaluation.document["video"]["auc"]
    assert auc == {"value": None, "low": None, "high": None, "reason": "only reals here; fakes are needed too"}


def test_an_output_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(OutputExistsError, match="is not empty"):
        evaluate(tmp_path)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_a_missing_artifact_is_named(tmp_path):
    with pytest.raises(MissingInputError, match="gone does not exist"):
        evaluate(tmp_path, artifact=tmp_path / "gone")


@pytest.mark.parametrize("workers", [0, 1])
def test_sigterm_ends_an_evaluation_that_waits_for_data(tmp_path, monkeypatch, workers):
    process = os.getpid()

    def block(*_):
        os.kill(process, signal.SIGTERM)
        threading.Event().wait()

    monkeypatch.setattr(CropDataset, "__getitem__", block)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    start = time.monotonic()
    try:
        with pytest.raises(StoppedBySignal, match="stopped by SIGTERM"):
            evaluate(tmp_path, workers=workers)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - start < 10
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "out").exists()
