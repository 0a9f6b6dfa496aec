import copy
import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.core.errors import (
    ArtifactError,
    CropSpecError,
    DeviceError,
    ManifestError,
    ModelInputError,
    ResidualStoreError,
)
from realface.core.files import sha256_of
from realface.data.crop_store import crop_keys
from realface.data.dataset import CropDataset
from realface.data.residual_store import ResidualStore
from realface.data.transforms import FaceTransform
from realface.evaluation import residuals as residuals_module
from realface.evaluation.residuals import compute_residuals
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image
from realface.models.artifact import load_network, save_artifact
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import ResidualSource

SIZE = 40
SMALL = {"size": "tiny", "input_size": SIZE, "patch_size": 8}
SPEC = CropSpec(size=16)
ONE_STEP = {"rtol": 0, "atol": 2**-24}
"""Between neighbouring float32 numbers below 1: what is stored of two float64 values that differ by their rounding."""


def save(folder, network, *, crop=SPEC):
    config = network.config
    card = ArtifactCard(
        method=config.name, config=config.model_dump(mode="json"), input_size=config.input_size, crop=crop
    )
    save_artifact(folder, network, card)
    return folder


@pytest.fixture(scope="module")
def mae(tmp_path_factory):
    """An artifact of an MAE with random weights, which inpaints something."""
    torch.manual_seed(0)
    return save(tmp_path_factory.mktemp("mae") / "artifact", RffrMae(MaeConfig(**SMALL)))


@pytest.fixture
def faces(tmp_path):
    """(number of crops) -> the manifest of as many, whose path is returned."""

    def write(count=5, *, folder="faces", crop=SPEC):
        rng = np.random.default_rng(0)
        for number in range(count):
            write_image(tmp_path / folder / f"{number}.png", rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
        rows = [{"path": f"{number}.png", "label": number % 2} for number in range(count)]
        manifest = Manifest.from_rows(rows, root=tmp_path / folder, header=ManifestHeader(crop=crop))
        manifest.write(tmp_path / folder / "manifest.parquet")
        return tmp_path / folder / "manifest.parquet"

    return write


@pytest.fixture
def in_float64(monkeypatch):
    """Residuals are computed in float64, so that kernels for another shape give the same but for the last bits."""
    real = ResidualSource.residual

    def residual(source, image):
        return real(replace(source, mae=copy.deepcopy(source.mae).double()), image.double())

    monkeypatch.setattr(ResidualSource, "residual", residual)


def compute(mae, manifests, out, **options):
    return compute_residuals(mae, manifests, out, **({"device": "cpu", "quiet": True, "batch_size": 2} | options))


def stored(store, manifest):
    rows = ResidualStore(store).rows(crop_keys(Manifest.read(manifest)))
    return torch.stack([rows(row) for row in range(len(rows.places))])


def images(manifest):
    rows = Manifest.read(manifest)
    crops = CropDataset(rows, transform=FaceTransform(SIZE), seed=0, training=False)
    return torch.stack([crops[row]["image"] for row in range(len(crops))])


def detector_with(mae, **config):
    torch.manual_seed(1)
    made = Rffr(RffrConfig(mae=MaeConfig(**SMALL), branch="vit_tiny_patch16_224", **config)).eval()
    made.mae.load_state_dict(load_network(mae).mae.state_dict())
    return made


def test_stored_equals_what_the_detector_computes_itself(mae, faces, tmp_path):
    manifest = faces()
    result = compute(mae, [manifest], tmp_path / "store")
    with torch.inference_mode():
        computed = torch.cat([detector_with(mae)(batch).residual for batch in images(manifest).split(2)])
    assert (result.num_computed, result.num_there, result.failed) == (5, 0, [])
    assert computed.abs().max() > 0.1
    assert torch.equal(stored(tmp_path / "store", manifest), computed)


@pytest.mark.usefixtures("in_float64")
def test_size_of_the_batch_changes_rounding_only(mae, faces, tmp_path):
    manifest = faces()
    for size in (1, 5):
        compute(mae, [manifest], tmp_path / str(size), batch_size=size)
    torch.testing.assert_close(stored(tmp_path / "1", manifest), stored(tmp_path / "5", manifest), **ONE_STEP)


@pytest.mark.parametrize(
    ("options", "tolerance"), [({"dtype": "float16"}, 2**-12), ({"precision": "bf16"}, 0.2), ({"workers": 1}, 0)]
)
def test_cheaper_residuals_differ_by_little(mae, faces, tmp_path, options, tolerance):
    manifest = faces(2)
    compute(mae, [manifest], tmp_path / "exact")
    compute(mae, [manifest], tmp_path / "other", **options)
    difference = (stored(tmp_path / "exact", manifest) - stored(tmp_path / "other", manifest)).abs().max()
    assert difference <= tolerance
    assert (difference > 0) == (tolerance > 0)


@pytest.mark.usefixtures("in_float64")
def test_outer_ring_is_covered_when_asked(mae, faces, tmp_path):
    manifest = faces(1)
    assert compute(mae, [manifest], tmp_path / "inner").header.covered == (8, 32)
    assert stored(tmp_path / "inner", manifest)[..., :8].abs().max() == 0
    assert compute(mae, [manifest], tmp_path / "all", outer_ring=True).header.covered == (0, 40)
    assert stored(tmp_path / "all", manifest)[..., :8].abs().max() > 0
    inner = (..., slice(8, 32), slice(8, 32))
    torch.testing.assert_close(
        stored(tmp_path / "all", manifest)[inner], stored(tmp_path / "inner", manifest)[inner], **ONE_STEP
    )


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(("asked", "used"), [({}, 16), ({"chunk_size": 2}, 2)])
def test_passes_at_once_are_the_artifacts_or_as_asked_and_change_nothing(
    mae, faces, tmp_path, monkeypatch, asked, used
):
    manifest, computed, found = faces(3), ResidualSource.residual, []
    compute(mae, [manifest], tmp_path / "store", chunk_size=1)

    def note(source, image):
        found.append(source.section.chunk_size)
        return computed(source, image)

    monkeypatch.setattr(ResidualSource, "residual", note)
    compute(mae, [manifest], tmp_path / "other", **asked)
    assert set(found) == {used}
    torch.testing.assert_close(stored(tmp_path / "other", manifest), stored(tmp_path / "store", manifest), **ONE_STEP)


def test_mae_inside_a_detector_fills_the_same_store(mae, faces, tmp_path):
    manifest = faces(2)
    detector = save(tmp_path / "detector", detector_with(mae))
    compute(mae, [manifest], tmp_path / "store")
    again = compute(detector, [manifest], tmp_path / "store")
    assert (again.num_computed, again.num_there) == (0, 2)


def test_crop_that_stands_in_manifests_twice_is_computed_once(mae, faces, tmp_path):
    manifests = [faces(3), faces(4, folder="again")]  # of the same seed: three are equal
    assert compute(mae, manifests, tmp_path / "store").num_computed == 4
    assert torch.equal(stored(tmp_path / "store", manifests[0]), stored(tmp_path / "store", manifests[1])[:3])


def test_only_what_is_missing_is_computed(mae, faces, tmp_path, monkeypatch):
    compute(mae, [faces(3)], tmp_path / "store")
    monkeypatch.setattr(residuals_module.ResidualSource, "residual", lambda _, image: torch.full_like(image, 0.5))
    more = compute(mae, [faces(5)], tmp_path / "store")
    assert (more.num_computed, more.num_there) == (2, 3)
    new = stored(tmp_path / "store", faces(5))[:, 0, 20, 20] == 0.5
    assert new.tolist() == [False] * 3 + [True] * 2


KILLED = """
import os, signal, sys
from pathlib import Path
from realface.data.residual_store import ResidualStore
from realface.evaluation.residuals import compute_residuals
real, calls = ResidualStore.add, iter(range(10))
def add(*arguments):
    if next(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments)
ResidualStore.add = add
MAE, manifest, out = map(Path, sys.argv[1:])
compute_residuals(MAE, [manifest], out, device="cpu", batch_size=1, shard_size=1, quiet=True)
"""


@pytest.fixture
def one_thread():
    """As the process has that is killed: bitwise equality holds for one number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_killed_run_goes_on_to_the_same_result(mae, faces, tmp_path):
    manifest = faces(4)
    arguments = [str(mae), str(manifest), str(tmp_path / "store")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(ResidualStore(tmp_path / "store")) == 2
    assert compute(mae, [manifest], tmp_path / "store", batch_size=1, shard_size=1).num_computed == 2
    compute(mae, [manifest], tmp_path / "whole", batch_size=1)
    assert torch.equal(stored(tmp_path / "store", manifest), stored(tmp_path / "whole", manifest))


def test_crops_that_cannot_be_read_are_named_and_the_others_computed(mae, faces, tmp_path):
    manifest = faces(4)
    (manifest.parent / "1.png").unlink()
    (manifest.parent / "2.png").write_bytes(b"no picture")
    result = compute(mae, [manifest], tmp_path / "store")
    assert (result.num_computed, result.skipped) == (2, {"missing file": 1, "not a picture": 1})
    assert [(failure.row, failure.reason) for failure in result.failed] == [(1, "missing file"), (2, "not a picture")]
    rows = list(csv.DictReader((tmp_path / "store" / "skipped.csv").open(encoding="utf-8")))
    assert [row["path"] for row in rows] == [str(manifest.parent / f"{number}.png") for number in (1, 2)]
    assert "row 3 of the manifest" in rows[1]["text"]


def test_hash_in_the_manifest_is_the_key(mae, faces, tmp_path):
    manifest = faces(2)
    rows = Manifest.read(manifest)
    hashes = [sha256_of(rows.file_of(row)) for row in range(2)]
    assert hashes == crop_keys(rows)
    rows.with_column("sha256", ["ab" * 32, hashes[1]]).write(manifest)
    compute(mae, [manifest], tmp_path / "store")
    store = ResidualStore(tmp_path / "store")
    assert [key in store for key in ("ab" * 32, *hashes)] == [True, False, True]


def test_store_of_another_mae_or_mode_is_refused(mae, faces, tmp_path):
    manifest = faces(1)
    compute(mae, [manifest], tmp_path / "store")
    torch.manual_seed(5)
    other = save(tmp_path / "other", RffrMae(MaeConfig(**SMALL)))
    with pytest.raises(ResidualStoreError, match=r"residuals of \[MAE .*but the new residuals would be of \[MAE"):
        compute(other, [manifest], tmp_path / "store")
    with pytest.raises(ResidualStoreError, match=r"exact, .*but the new residuals would be of \[MAE .* fast, "):
        compute(mae, [manifest], tmp_path / "store", mode="fast")


def test_mae_that_cannot_inpaint_is_refused(faces, tmp_path):
    mae = save(tmp_path / "mae", RffrMae(MaeConfig(**SMALL, norm_pix=True)))
    with pytest.raises(ModelInputError, match="mae: this MAE was trained with per-patch normalised targets"):
        compute(mae, [faces(1)], tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_artifact_without_an_mae_is_refused(faces, tmp_path):
    network = Baseline(BaselineConfig(encoder="light_xception", input_size=64))
    with pytest.raises(ArtifactError, match="model has no MAE; give an artifact of rffr-mae or rffr"):
        compute(save(tmp_path / "model", network), [faces(1)], tmp_path / "store")


def test_crops_cut_otherwise_than_the_maes_are_refused(mae, faces, tmp_path):
    with pytest.raises(CropSpecError, match=r"manifest\.parquet contains crops made with .* but .*artifact expects"):
        compute(mae, [faces(1, crop=CropSpec(size=32))], tmp_path / "store")


def test_crops_or_an_mae_of_which_nothing_is_known_are_noted_once(mae, faces, tmp_path):
    unknown, known = faces(2, folder="a", crop=CropSpec.unknown()), faces(1, folder="b")
    computed = compute(mae, [unknown, known], tmp_path / "one")
    assert computed.notes == [
        f"unknown crop settings ({unknown}); cannot check whether crops and model match",
    ]
    imported = save(tmp_path / "imported", load_network(mae), crop=CropSpec.unknown())
    (note,) = compute(imported, [unknown], tmp_path / "two").notes
    assert f"({unknown}, {imported})" in note
    assert compute(mae, [known], tmp_path / "three").notes == []


def test_no_manifest_is_refused(mae, tmp_path):
    with pytest.raises(ManifestError, match="no manifest whose residuals could be computed"):
        compute(mae, [], tmp_path / "store")


def test_too_little_memory_is_told_with_what_to_set(mae, faces, tmp_path, monkeypatch):
    def refuse(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(residuals_module.ResidualSource, "residual", refuse)
    expected = "cpu has too little memory for 2 crops at once; give a smaller --batch-size or --chunk-size"
    with pytest.raises(DeviceError, match=expected):
        compute(mae, [faces(2)], tmp_path / "store")
