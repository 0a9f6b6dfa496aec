import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.evaluation.evaluate import evaluate_artifact
from realface.evaluation.inpainting import (
    InpaintedFaces,
    baseline_error,
    measure_inpainting,
    score_and_inpaint,
    summarise_inpainting,
)
from realface.evaluation.inpainting_baselines import INPAINTING_BASELINES, Square, harmonic, mean_colour
from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import read_image, write_image
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method
from realface.models.rffr.blocks import BlockGrid
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae_network import RffrMae, fit_statistics, inpainting_errors

CPU = torch.device("cpu")
SPEC = CropSpec(size=40)
SMALLEST = MaeConfig(size="tiny", input_size=40, patch_size=8)
GRID = BlockGrid.of(5, outer_ring=False)
BLOCK = (slice(8, 32), slice(8, 32))
METRIC = get_method("rffr-mae").inpainting
READING = Reading(input_size=40, device=CPU, quiet=True)


@pytest.fixture(scope="module")
def mae():
    """With random weights and a score of noise."""
    torch.manual_seed(0)
    network = RffrMae(SMALLEST).eval()
    fit_statistics(network, [torch.rand(20, 3, 40, 40)])
    return network


class InFloat64(RffrMae):
    """Computes in float64, so that kernels for a batch of another size give the same but for the last bits."""

    def forward(self, image):
        return super().forward(image.double())


@pytest.fixture(scope="module")
def exact_mae(mae):
    """The same MAE in float64."""
    network = InFloat64(SMALLEST)
    network.load_state_dict(mae.state_dict())
    return network.double().eval()


@pytest.fixture
def write_faces(tmp_path):
    """The label of each face (and by its name anything else) -> a manifest of noise."""

    def write(*labels, name="faces", **columns):
        rng = np.random.default_rng(0)
        rows = []
        for number, label in enumerate(labels):
            write_image(tmp_path / name / f"{number}.png", rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
            row = {"path": f"{number}.png", "label": label, "video": f"v{number}", "split": "test"}
            rows.append(row | {column: values[number] for column, values in columns.items()})
        Manifest.from_rows(rows, root=tmp_path / name, header=ManifestHeader(crop=SPEC)).write(
            tmp_path / name / "faces.parquet"
        )
        return tmp_path / name / "faces.parquet"

    return write


def measure(*manifests, errors=None, **options):
    sets = [Manifest.read(path) for path in manifests]
    errors = np.arange(sum(map(len, sets)), dtype=float) if errors is None else np.array(errors)
    reading = replace(READING, workers=options.pop("workers", 0))
    return measure_inpainting(GRID, sets, errors, reading, **({"num_resamples": 20} | options))


def summarise(mae, other, *, units, **options):
    faces = InpaintedFaces([str(n) for n in range(len(units))], "person", list(units), np.array(mae), {"other": other})
    return summarise_inpainting(faces, num_real=len(units), num_fakes=0, **({"num_resamples": 50} | options))


def test_a_pass_gives_the_score_and_the_error_over_the_block(exact_mae, write_faces):
    manifest = Manifest.read(write_faces(0, 1, 0))
    table, failed, errors = score_and_inpaint(exact_mae, manifest, replace(READING, batch_size=2), metric=METRIC)
    assert table.scores == pytest.approx(score_crops(exact_mae, manifest, READING).scores, abs=1e-9)
    assert failed == []
    for row, error in enumerate(errors):
        face = torch.from_numpy(read_image(manifest.file_of(row))).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            difference = (exact_mae(face).reconstruction - face)[0, :, *BLOCK]
            assert error <= inpainting_errors(exact_mae, face.double()).item() + 1e-9  # which is not brought to [0, 1]
        assert error == pytest.approx(difference.square().mean().item(), rel=1e-9)


def test_rows_that_cannot_be_read_have_no_error(exact_mae, write_faces):
    manifest = Manifest.read(write_faces(0, 0, 0))
    whole = score_and_inpaint(exact_mae, manifest, READING, metric=METRIC)[2]
    manifest.file_of(1).unlink()
    table, failed, errors = score_and_inpaint(exact_mae, manifest, READING, metric=METRIC)
    assert (len(table), [failure.row for failure in failed]) == (2, [1])
    assert errors == pytest.approx(whole[[0, 2]], abs=1e-9)


def test_where_no_row_can_be_read_there_are_no_errors(mae, write_faces):
    manifest = Manifest.read(write_faces(0))
    manifest.file_of(0).unlink()
    table, failed, errors = score_and_inpaint(mae, manifest, READING, metric=METRIC)
    assert (len(table), len(failed), errors.shape) == (0, 1, (0,))


def test_a_fillings_error_is_over_the_inner_blocks():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    grid = BlockGrid.of(8, outer_ring=False)  # 2 x 2 blocks of 24 pixels from 8 on
    squares = [Square(top, left, 24) for top in (8, 32) for left in (8, 32)]
    expected = np.mean([np.square((harmonic(image, each) - image[each.pixels]) / 255) for each in squares])
    assert baseline_error(harmonic, image, grid) == pytest.approx(expected)


def test_with_the_ring_every_pixel_of_a_face_counts_once():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    grid = BlockGrid.of(8, outer_ring=True)
    error = baseline_error(lambda _, square: np.zeros((square.side, square.side, 3)), image, grid)
    assert error == pytest.approx(np.square(image / 255).mean())


def test_fakes_are_left_out_and_counted(write_faces):
    found = measure(write_faces(0, 1, 0, 1, 1), errors=[0.1, 9, 0.3, 9, 9])
    assert (found.num_faces, found.num_real, found.num_fakes) == (2, 2, 3)
    assert found.faces.mae.tolist() == [0.1, 0.3]
    assert found.mae.error.value == pytest.approx(0.2)


def test_every_filling_is_measured_on_the_pixels_of_the_face(write_faces):
    path = write_faces(0, 0)
    found = measure(path)
    assert list(found.inpainting_baselines) == list(INPAINTING_BASELINES)
    for row in range(2):
        image = read_image(path.parent / f"{row}.png")
        mean = np.square((mean_colour(image, Square(8, 8, 24)) - image[BLOCK]) / 255).mean()
        assert found.faces.inpainting_baselines["mean colour"][row] == pytest.approx(mean)


def test_workers_and_the_split_into_sets_change_nothing(write_faces):
    first, second = write_faces(0, 1, 0, name="first"), write_faces(1, 0, 0, name="second")
    here = measure(first, second)
    there = measure(first, second, workers=1)
    assert here.faces.mae.tolist() == [0, 2, 4, 5]
    assert there.to_json() == here.to_json()
    apart = [measure(path).faces.inpainting_baselines["harmonic"].tolist() for path in (first, second)]
    assert here.faces.inpainting_baselines["harmonic"].tolist() == apart[0] + apart[1]


def test_of_many_faces_some_are_taken_evenly_spread(write_faces):
    found = measure(write_faces(0, 0, 1, 0, 0, 0, 0), most_faces=3)
    assert found.faces.mae.tolist() == [0, 3, 5]  # the first, third and fifth of six
    assert (found.num_faces, found.num_real, found.num_fakes) == (3, 6, 1)
    assert [path.rpartition("/")[2] for path in found.faces.paths] == ["0.png", "3.png", "5.png"]


def test_a_set_without_a_chosen_face_is_passed_over(write_faces):
    assert measure(write_faces(1, name="fakes"), write_faces(0, 0)).num_faces == 2


def test_without_a_real_face_or_where_none_is_asked_for_nothing_is_measured(write_faces):
    assert measure(write_faces(1, 1)) is None
    assert measure(write_faces(0, 0), most_faces=0) is None


def test_persons_are_drawn_where_all_are_known(write_faces):
    known = measure(write_faces(0, 0, 0, identities=[["a"], ["b"], ["a"]], dataset=["x", "x", "y"]))
    assert (known.drawn, known.num_units) == ("person", 3)
    assert known.faces.units == ["x/a", "x/b", "y/a"]
    partly = measure(write_faces(0, 0, 0, identities=[["a"], None, ["a"]], video=["v", "w", "w"]))
    assert (partly.drawn, partly.num_units) == ("video", 2)


def test_faces_that_name_no_video_are_drawn_by_themselves(write_faces):
    unnamed = measure(write_faces(0, 0, 0, video=[None, None, None]))
    assert (unnamed.drawn, unnamed.num_units) == ("crop", 3)
    partly = measure(write_faces(0, 0, 0, video=["v", "v", None]))
    assert (partly.drawn, partly.num_units) == ("video or crop", 2)


def test_a_person_with_many_faces_counts_no_more_than_another():
    found = summarise([0.1, 0.1, 0.1, 0.5], np.array([0.2, 0.2, 0.2, 0.4]), units="aaab")
    assert found.mae.error.value == pytest.approx(0.3)
    assert found.inpainting_baselines["other"].error.value == pytest.approx(0.3)
    assert found.inpainting_baselines["other"].mae_minus_this.value == pytest.approx(0)  # -0.1 and 0.1
    assert (
        found.inpainting_baselines["other"].mae_minus_this.low,
        found.inpainting_baselines["other"].mae_minus_this.high,
    ) == (
        pytest.approx(-0.1),
        pytest.approx(0.1),
    )


def test_the_difference_is_taken_face_by_face_so_that_what_all_share_widens_no_interval():
    hard = np.linspace(0, 1, 40)
    found = summarise(hard, hard + 0.01, units=[f"p{n}" for n in range(40)])
    difference = found.inpainting_baselines["other"].mae_minus_this
    assert (difference.value, difference.low, difference.high) == pytest.approx((-0.01, -0.01, -0.01))
    assert found.mae.error.high - found.mae.error.low > 0.1


def test_the_root_of_an_error_is_in_grey_levels():
    found = summarise([0.04, 0.04], np.array([0.01, 0.01]), units="ab")
    assert (found.mae.grey_levels.value, found.mae.grey_levels.low) == pytest.approx((51, 51))
    assert found.inpainting_baselines["other"].grey_levels.value == pytest.approx(25.5)
    assert found.mae.mae_minus_this is None


def test_one_person_gives_no_interval_and_says_why():
    found = summarise([0.04, 0.04], np.array([0.01, 0.01]), units="aa")
    assert found.mae.grey_levels.value == pytest.approx(51)
    assert found.mae.error.reason == "no interval: only 1 real person, at least 2 are needed"
    assert found.mae.grey_levels.low is None


def build_artifact(folder, network):
    card = ArtifactCard(
        method="rffr-mae", config=SMALLEST.model_dump(mode="json"), input_size=40, crop=SPEC, threshold=0.5
    )
    save_artifact(folder, network, card)
    return folder


@pytest.mark.parametrize("labels", [(0, 0, 0), (0, 1, 0, 1)])
def test_an_evaluation_of_an_mae_writes_how_it_inpaints_with_and_without_fakes(tmp_path, mae, write_faces, labels):
    evaluation = evaluate_artifact(
        build_artifact(tmp_path / "mae", mae),
        [write_faces(*labels)],
        tmp_path / "out",
        device="cpu",
        num_resamples=20,
        num_inpainted=2,
        quiet=True,
    )
    document = json.loads((evaluation.out / "inpainting.json").read_text())
    faces = document.pop("faces")
    assert document == {"format": 1, **evaluation.document["inpainting"]}
    assert json.loads((evaluation.out / "metrics.json").read_text()) == evaluation.document
    assert (document["num_faces"], document["num_real"]) == (2, labels.count(0))
    assert document["num_fakes"] == labels.count(1)
    assert document["mae"]["error"]["value"] == pytest.approx(np.mean([face["mae"] for face in faces]))
    assert [set(face) for face in faces] == [{"path", "video", "mae", *INPAINTING_BASELINES}] * 2
    assert (evaluation.document["video"]["auc"]["value"] is None) == (1 not in labels)


def test_an_evaluation_that_is_to_compare_no_faces_says_nothing_of_inpainting(tmp_path, mae, write_faces):
    artifact = build_artifact(tmp_path / "mae", mae)
    evaluation = evaluate_artifact(
        artifact, [write_faces(0, 1)], tmp_path / "out", device="cpu", num_resamples=0, num_inpainted=0, quiet=True
    )
    assert evaluation.inpainting is None
    assert "inpainting" not in evaluation.document
    assert not (evaluation.out / "inpainting.json").exists()
