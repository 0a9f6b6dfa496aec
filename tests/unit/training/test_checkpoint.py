import errno
import os
import resource
import stat
from contextlib import contextmanager

import pytest
import torch

from realface.core.errors import MissingInputError, TrainingError
from realface.training.checkpoint import BestStep, Checkpoint, CheckpointFolder


class Exploding:
    def __reduce__(self):
        return (print, ("executed",))


def checkpoint(step, best_step=None):
    layer = torch.nn.Linear(2, 2)
    return Checkpoint(
        step=step,
        crops_per_step=4,
        task=layer.state_dict(),
        average=None,
        optimiser=torch.optim.Adam(layer.parameters()).state_dict(),
        schedule={"steps": step},
        scaler={},
        generators=[{"torch": torch.get_rng_state(), "python": (3, (1, 2), None)}],
        means={"sums": {"loss": torch.tensor(0.5)}, "num_steps": 1},
        tally={"step": step, "best_step": best_step},
    )


def best(step):
    return BestStep(step, torch.nn.Linear(2, 2).state_dict(), {"auc": 0.5}, torch.tensor([0.25]))


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path, keep=2)


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_newest_checkpoint_comes_back_as_it_was(folder):
    folder.save(checkpoint(3))
    saved = checkpoint(12)
    folder.save(saved)
    loaded = folder.newest()
    assert torch.equal(loaded.task["weight"], saved.task["weight"])
    assert (loaded.step, loaded.schedule, loaded.means["num_steps"]) == (12, {"steps": 12}, 1)
    assert loaded.optimiser["param_groups"][0]["betas"] == (0.9, 0.999)
    assert loaded.generators[0]["python"] == (3, (1, 2), None)


def test_no_checkpoint_is_none(folder):
    assert folder.newest() is None


def test_only_the_last_ones_are_kept(folder, tmp_path):
    for step in (1, 2, 3, 4):
        folder.save(checkpoint(step))
    assert names(tmp_path) == ["step-00000003.ckpt", "step-00000004.ckpt"]


def test_best_steps_are_kept_while_a_checkpoint_refers_to_them(folder, tmp_path):
    folder.save_best(best(2))
    folder.save(checkpoint(4, best_step=2))
    folder.save_best(best(4))
    folder.save(checkpoint(6, best_step=4))
    assert [name for name in names(tmp_path) if "best" in name] == ["best-00000002.ckpt", "best-00000004.ckpt"]
    folder.save(checkpoint(8, best_step=4))
    assert [name for name in names(tmp_path) if "best" in name] == ["best-00000004.ckpt"]


def test_best_step_comes_back_with_its_scores(folder):
    folder.save_best(best(2))
    assert folder.load_best(2).scores.tolist() == [0.25]


def test_missing_best_step_is_named(folder):
    with pytest.raises(MissingInputError, match=r"checkpoint .*best-00000007\.ckpt does not exist"):
        folder.load_best(7)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_file_of_another_kind_is_passed_over(folder, tmp_path, content, capsys):
    folder.save(checkpoint(1))
    (tmp_path / "checkpoints" / "step-00000002.ckpt").write_bytes(content)
    assert folder.newest().step == 1
    assert "step-00000002.ckpt is damaged or no checkpoint of `realface train`; trying" in capsys.readouterr().err


def test_checkpoints_of_which_none_can_be_used_are_not_taken_for_a_new_run(folder, tmp_path, capsys):
    for step in (1, 2):
        folder.save(checkpoint(step))
        (tmp_path / "checkpoints" / f"step-0000000{step}.ckpt").write_bytes(b"")
    with pytest.raises(
        TrainingError,
        match=r"step-00000001\.ckpt is damaged .*; no other checkpoint is left; remove .*checkpoints",
    ):
        folder.newest()
    assert "step-00000002.ckpt is damaged" in capsys.readouterr().err


def test_damaged_checkpoint_of_a_later_step_does_not_push_out_a_new_one(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=1)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-00000009.ckpt").write_bytes(b"damaged")
    folder.save(checkpoint(4))
    assert names(tmp_path) == ["step-00000004.ckpt"]


def test_damaged_best_step_is_refused(folder, tmp_path):
    folder.save_best(best(2))
    path = tmp_path / "checkpoints" / "best-00000002.ckpt"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TrainingError, match=r"best-00000002\.ckpt is damaged or no checkpoint"):
        folder.load_best(2)


def test_code_in_a_checkpoint_is_not_executed(folder, tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    torch.save({"format": 2, "step": Exploding()}, tmp_path / "checkpoints" / "best-00000002.ckpt")
    with pytest.raises(TrainingError, match="damaged or no checkpoint"):
        folder.load_best(2)
    assert "executed" not in capsys.readouterr().out


def test_state_of_another_program_is_refused(folder, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    torch.save({"model": torch.zeros(1)}, tmp_path / "checkpoints" / "best-00000002.ckpt")
    with pytest.raises(TrainingError, match="no checkpoint of format 2"):
        folder.load_best(2)


def test_what_a_kill_left_half_written_is_cleared(folder, tmp_path):
    folder.save(checkpoint(1))
    (tmp_path / "checkpoints" / ".step-00000002.0123abcd.partial.ckpt").write_bytes(b"half")
    folder.clear_partial()
    assert names(tmp_path) == ["step-00000001.ckpt"]


@contextmanager
def full_disk():
    """No file can grow beyond 2,000 bytes; not for a whole test, since pytest's own output may go to a larger file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_told_and_leaves_nothing(folder, tmp_path):
    saved = checkpoint(1)
    with full_disk(), pytest.raises(TrainingError, match=r"step-00000001\.ckpt cannot be written .*make room .* with"):
        folder.save(saved)
    assert names(tmp_path) == []


def test_renamed_checkpoint_is_on_the_disk_before_older_ones_go(folder, tmp_path, monkeypatch):
    synced = []

    def sync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(names(tmp_path) if is_folder else "file")

    for step in (1, 2):
        folder.save(checkpoint(step))
    monkeypatch.setattr(os, "fsync", sync)
    folder.save(checkpoint(3))
    assert synced == ["file", [f"step-0000000{step}.ckpt" for step in (1, 2, 3)]]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_system_that_cannot_sync_a_folder_is_used_all_the_same(folder, monkeypatch, number):
    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "not for folders")

    monkeypatch.setattr(os, "fsync", sync)
    folder.save(checkpoint(1))
    assert folder.newest().step == 1


def test_folder_that_cannot_be_synced_for_another_reason_is_told(folder, monkeypatch):
    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match="Input/output error"):
        folder.save(checkpoint(1))
