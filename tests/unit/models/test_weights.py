import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from realface.core.errors import ArtifactError, MissingInputError
from realface.models.weights import load_weights, read_weights


class Executed:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_reads_safetensors_and_saved_state_dicts(tmp_path, name):
    weights = {"a": torch.arange(3.0)}
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(weights, tmp_path / name)
    assert torch.equal(read_weights(tmp_path / name)["a"], weights["a"])


def test_never_executes_a_pickle(tmp_path, capsys):
    torch.save({"a": Executed()}, tmp_path / "weights.pth")
    with pytest.raises(ArtifactError, match=r"weights.pth was not read, because reading it would execute print; if"):
        read_weights(tmp_path / "weights.pth")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"this is no weights file"])
def test_refuses_a_damaged_safetensors_file(tmp_path, content):
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights.safetensors is damaged or no safetensors file \(.+\); copy"):
        read_weights(tmp_path / "weights.safetensors")


def test_refuses_a_damaged_pickle_without_torchs_advice_to_execute_it(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"this is no weights file")
    with pytest.raises(ArtifactError, match=r"weights.pth is damaged or not what torch.save writes") as refusal:
        read_weights(tmp_path / "weights.pth")
    assert "weights_only" not in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(MissingInputError, match=r"weights file .*gone.pth does not exist"):
        read_weights(tmp_path / "gone.pth")


def test_refuses_a_whole_checkpoint_and_says_what_is_in_it(tmp_path):
    torch.save({"step": 3, "model": {"a": torch.zeros(1)}}, tmp_path / "weights.pth")
    with pytest.raises(ArtifactError, match="a bare state dict, got the keys step, model; save only the state dict"):
        read_weights(tmp_path / "weights.pth")


def test_refuses_a_checkpoint_with_numbers_of_numpy_by_its_keys(tmp_path):
    torch.save({"best_metric": np.float64(0.9), "model": {"a": torch.zeros(1)}}, tmp_path / "recce.bin")
    with pytest.raises(ArtifactError, match="a bare state dict, got the keys best_metric, model; save only"):
        read_weights(tmp_path / "recce.bin")


def test_refuses_something_that_is_no_mapping(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "weights.pth")
    with pytest.raises(ArtifactError, match="a bare state dict, got list"):
        read_weights(tmp_path / "weights.pth")


def test_names_every_parameter_that_does_not_fit_and_changes_none():
    module = nn.Linear(2, 3)
    before = module.weight.clone()
    weights = {"weight": torch.zeros(3, 4), "scale": torch.zeros(1), "shift": torch.zeros(1)}
    expected = (
        r"file does not fit Linear: missing bias; unexpected scale; unexpected shift; "
        r"weight must have shape \(3, 2\), got \(3, 4\)"
    )
    with pytest.raises(ArtifactError, match=expected):
        load_weights(module, weights, where="file")
    assert torch.equal(module.weight, before)


def test_of_many_names_of_a_kind_the_first_are_given_and_the_others_counted():
    weights = {f"extra{number}": torch.zeros(1) for number in range(25)}
    with pytest.raises(
        ArtifactError, match=r"missing weight; missing bias; unexpected extra0; .* extra19; 5 more unexp"
    ):
        load_weights(nn.Linear(2, 3), weights, where="file")
