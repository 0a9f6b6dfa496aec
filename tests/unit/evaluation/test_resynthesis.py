"""Rendering the faces of a manifest by autoencoders."""

import numpy as np
import pytest
import torch

from realface.core.crop_spec import CropSpec
from realface.core.errors import ManifestError, OutputExistsError
from realface.data.crop_store import crop_keys
from realface.data.landmark_store import FILE_NAME
from realface.data.resynthesis_store import ResynthesisStore
from realface.evaluation.landmarks import store_landmarks
from realface.evaluation.resynthesis import resynthesise, train_autoencoders
from realface.manifest.manifest import Manifest, ManifestHeader
from realface.media.images import write_image


@pytest.fixture(scope="module")
def crops(tmp_path_factory, astronaut):
    """A manifest of 16 faces for training, one of them twice, one for validation, a fake and a crop without a face."""
    root = tmp_path_factory.mktemp("crops")
    images = [(astronaut[0] * (1 - 0.04 * number)).astype(np.uint8) for number in range(17)]
    rows = []
    for number, image in enumerate([*images, images[0], images[0][::-1], np.zeros_like(images[0])]):
        write_image(root / f"{number}.png", np.ascontiguousarray(image))
        split = "val" if number == 16 else "train"
        rows.append({"path": f"{number}.png", "label": int(number == 18), "split": split, "video": str(number)})
    manifest = Manifest.from_rows(rows, root=root, header=ManifestHeader(crop=CropSpec(size=160)))
    manifest.write(root / "manifest.parquet")
    store_landmarks(manifest, root / FILE_NAME, quiet=True)
    return root / "manifest.parquet"


@pytest.fixture(scope="module")
def done(tmp_path_factory, crops):
    out = tmp_path_factory.mktemp("out") / "store"
    return resynthesise([crops], out, steps=3, quiet=True)


def test_all_real_faces_are_rendered_and_only_the_training_split_is_learned_from(done, crops):
    assert (done.num_faces, done.num_trained_on, done.num_without_landmarks) == (17, 17, 1)
    keys = crop_keys(Manifest.read(crops))
    faces = ResynthesisStore(done.out).faces(keys)
    assert faces.is_there.tolist() == [True] * 18 + [False, False]
    assert faces.face(16).shape == (128, 128, 3)


def test_networks_are_kept_at_several_ages(done):
    assert set(done.losses) == {"spatial-1", "spatial-2", "spatial-3", "dense-2", "dense-3"}
    assert all(0 < loss < 2 for loss in done.losses.values())


def test_the_header_records_the_weights_and_the_training(done):
    header = ResynthesisStore(done.out).header
    assert header.settings == {"steps": 3, "seed": 0, "split": "train", "trained_on": 17}
    assert len(header.weights) == 64


def test_a_store_follows_from_the_seed(done, crops, tmp_path):
    again = resynthesise([crops], tmp_path / "again", steps=3, quiet=True)
    other = resynthesise([crops], tmp_path / "other", steps=3, seed=1, quiet=True)
    for name in ("header.json", "faces.bin", "faces.parquet"):
        assert (again.out / name).read_bytes() == (done.out / name).read_bytes()
    assert ResynthesisStore(other.out).header.weights != ResynthesisStore(done.out).header.weights


def test_training_lowers_the_loss_and_leaves_the_global_seed(astronaut):
    face = np.ascontiguousarray(astronaut[0][:128, :128])
    faces = np.stack([face, np.ascontiguousarray(face[:, ::-1])])
    state = torch.get_rng_state()
    spatial = [part.loss for part in train_autoencoders(faces, steps=10, seed=0) if part.name.startswith("spatial")]
    assert torch.equal(torch.get_rng_state(), state)
    assert spatial[-1] < spatial[0]


def test_too_few_training_faces_are_refused(crops, tmp_path):
    with pytest.raises(ManifestError, match=r"1 real faces are of the split 'val', but the autoencoder needs at least"):
        resynthesise([crops], tmp_path / "store", split="val", quiet=True)


def test_no_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="no manifest whose faces could be re-synthesised; give at least one"):
        resynthesise([], tmp_path / "store", quiet=True)


def test_a_store_is_not_overwritten(done, crops):
    with pytest.raises(OutputExistsError):
        resynthesise([crops], done.out, quiet=True)
