import pytest
import torch

from realface.core.errors import MissingInputError, TrainingError
from realface.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


class Exploding:
    def __reduce__(self):
        return (print, ("executed",))


def checkpoint(step=3):
    layer = torch.nn.Linear(2, 2)
    optimiser = torch.optim.Adam(layer.parameters())
    return Checkpoint(step, layer.state_dict(), optimiser.state_dict(), {"last_epoch": step}, {"auc": 0.5})


def test_checkpoint_comes_back_as_it_was(tmp_path):
    saved = checkpoint()
    save_checkpoint(tmp_path / "last.ckpt", saved)
    loaded = load_checkpoint(tmp_path / "last.ckpt")
    assert torch.equal(loaded.task["weight"], saved.task["weight"])
    assert (loaded.step, loaded.schedule, loaded.metrics) == (3, {"last_epoch": 3}, {"auc": 0.5})
    assert loaded.optimiser["param_groups"][0]["betas"] == (0.9, 0.999)


def test_nothing_else_is_left_beside_it(tmp_path):
    save_checkpoint(tmp_path / "last.ckpt", checkpoint())
    save_checkpoint(tmp_path / "last.ckpt", checkpoint(step=4))
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"checkpoint .*gone\.ckpt does not exist"):
        load_checkpoint(tmp_path / "gone.ckpt")


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, checkpoint())
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged or no checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged or no checkpoint"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_not_executed(tmp_path, capsys):
    torch.save({"format": 1, "step": Exploding()}, tmp_path / "evil.ckpt")
    with pytest.raises(TrainingError, match="damaged or no checkpoint"):
        load_checkpoint(tmp_path / "evil.ckpt")
    assert "executed" not in capsys.readouterr().out


def test_state_of_another_program_is_refused(tmp_path):
    torch.save({"model": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(TrainingError, match="no checkpoint of format 1"):
        load_checkpoint(tmp_path / "other.ckpt")
