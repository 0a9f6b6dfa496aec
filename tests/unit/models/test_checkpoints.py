import numpy as np
import pytest
import torch

from realface.core.errors import ArtifactError
from realface.core.files import sha256_of
from realface.models.checkpoints import Checkpoint

KNOWN = {"stem.weight", "head.bias"}


@pytest.fixture
def read(tmp_path):
    """(content) -> the checkpoint that a file with it is."""

    def make(content):
        torch.save(content, tmp_path / "released.pth.tar")
        return Checkpoint.read(tmp_path / "released.pth.tar")

    return make


def weights(prefix="", **others):
    return {f"{prefix}stem.weight": torch.ones(2), f"{prefix}head.bias": torch.zeros(1)} | others


def test_errors_name_the_file_and_the_prefix_that_was_taken_off(read, tmp_path):
    plain, wrapped = (read(weights(prefix)).without_prefix(KNOWN) for prefix in ("", "module."))
    assert plain.where == str(tmp_path / "released.pth.tar")
    assert wrapped.where == f"{tmp_path / 'released.pth.tar'} (names without 'module.')"
    assert set(wrapped.tensors) == KNOWN


def test_a_name_outside_the_prefix_hides_no_other(read):
    checkpoint = read(weights("module.", **{"head.bias": torch.ones(1)})).without_prefix(KNOWN)
    assert checkpoint.tensors["head.bias"].item() == 0
    assert checkpoint.tensors["head.bias (outside 'module.')"].item() == 1


def test_unused_weights_are_left_out(read):
    assert set(read(weights()).without("head.", "tail.").tensors) == {"stem.weight"}


def test_what_the_file_says_is_kept_where_json_can_hold_it(read):
    content = {
        "epoch": torch.tensor(7),
        "aucs": [np.float64(0.5), 0.75],
        "best_aucs": {"Deepfakes": 0.9, 1: 0.8},
        "note": "x",
        "broken": [0.5, float("nan")],
        "nested": [[0.5]],
        "empty": [],
        "tensor": torch.zeros(2),
        "itself": None,
        "state_dict": weights(),
    }
    content["itself"] = [content["aucs"], content["best_aucs"]]
    names = ["absent", *(name for name in content if name != "state_dict")]
    assert read(content).said(names) == {
        "epoch": 7,
        "aucs": [0.5, 0.75],
        "best_aucs": {"Deepfakes": 0.9, "1": 0.8},
        "note": "x",
    }


def test_origin_is_the_file_with_its_hash(read):
    checkpoint = read(weights())
    assert checkpoint.origin("MAE") == {
        "name": "released.pth.tar",
        "sha256": sha256_of(checkpoint.file),
        "note": "the imported MAE; it does not say its training set",
    }


def test_weights_that_are_no_numbers_are_counted_and_the_first_is_named(read):
    broken = {"a": torch.tensor([float("nan")]), "b": torch.tensor([float("inf")])}
    expected = "released.pth.tar has tensors without plain, finite numbers, 2 in all, the first is a; take"
    with pytest.raises(ArtifactError, match=expected):
        read(weights() | broken).require_numbers()
