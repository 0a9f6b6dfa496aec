"""A run that was broken off and taken up is the run that was not."""

import csv
import fcntl
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch

from realface.core.errors import OutputExistsError, StoppedBySignal, TrainingError
from realface.models import catalog
from realface.models.artifact import load_network
from realface.training import batches, loop, validation
from realface.training import run as run_module
from realface.training.checkpoint import CheckpointFolder
from realface.training.launch import Places
from realface.training.run import train
from realface.training.steps import Stepper

TIMED = ("crops_per_s", "data_wait")


@pytest.fixture
def recipe(make_recipe, write_faces):
    """Settings by section -> a recipe with what has a state: flips, dropout, momenta, average.

    Workers have none and are slow to start; the run that is killed with them is among the integration tests.
    """
    manifest = write_faces()

    def make(*, trainer=None, **sections):
        settings = {"steps": 10, "average_decay": 0.9, "checkpoint_every": 5, "log_every": 3, "validate_every": 4}
        return make_recipe(data={"manifests": [manifest]}, trainer=settings | (trainer or {}), **sections)

    return make


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def kill_before(monkeypatch, owner, name, *, call):
    """Die before the call of this number to a method."""
    real, calls = getattr(owner, name), iter(range(1, 1000))

    def die(*arguments, **keywords):
        if next(calls) == call:
            raise Killed
        return real(*arguments, **keywords)

    monkeypatch.setattr(owner, name, die)


def broken_off(monkeypatch, run, made, owner, name, *, call):
    with monkeypatch.context() as context:
        kill_before(context, owner, name, call=call)
        with pytest.raises(Killed):
            train(made, run, quiet=True)


def everything(run):
    """All that a run leaves, but for times."""
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    checkpoint = CheckpointFolder(run, keep=3).newest()
    return {
        "artifact": load_network(run / "artifact").state_dict(),
        "task": checkpoint.task,
        "average": checkpoint.average,
        "moments": checkpoint.optimiser["state"],
        "log": [{name: value for name, value in row.items() if name not in TIMED} for row in rows],
        "tally": checkpoint.tally,
        "torch": checkpoint.generators[0]["torch"],
        "files": sorted(path.name for path in (run / "checkpoints").iterdir()),
    }


def plain(value):
    """With lists for tensors, so that == compares every bit that matters."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


def assert_same(one, other):
    for name in one.keys() | other.keys():
        assert plain(one[name]) == plain(other[name]), name


def send_sigterm(monkeypatch, *, after):
    """From within the step after this one."""
    real = Stepper.take

    def take(self, batches):
        if self._state.tally.step == after:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, batches)

    monkeypatch.setattr(Stepper, "take", take)


@pytest.fixture
def undisturbed(recipe, tmp_path):
    train(recipe(), tmp_path / "whole", quiet=True)
    return everything(tmp_path / "whole")


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (Stepper, "take", 1),  # nothing was saved yet
        (Stepper, "take", 8),  # in the second epoch
        (CheckpointFolder, "save", 3),
        (validation, "validation_metrics", 2),  # saved, but not judged
        (CheckpointFolder, "save_best", 1),
        (loop.Loop, "_validate_and_log", 9),
    ],
)
def test_run_killed_anywhere_and_resumed_is_the_same_bit_for_bit(
    recipe, tmp_path, undisturbed, monkeypatch, owner, name, call
):
    run = tmp_path / "broken"
    broken_off(monkeypatch, run, recipe(), owner, name, call=call)
    train(recipe(), run, resume=True, quiet=True)
    assert_same(everything(run), undisturbed)


@pytest.mark.parametrize(("owner", "name", "call"), [(Stepper, "take", 8), (validation, "error_metrics", 2)])
def test_run_on_reals_alone_is_the_same_too(recipe, tmp_path, monkeypatch, owner, name, call):
    made = recipe(method={"name": "tiny-reals"}, trainer={"average_decay": None})
    train(made, tmp_path / "whole", quiet=True)
    broken_off(monkeypatch, tmp_path / "broken", made, owner, name, call=call)
    train(made, tmp_path / "broken", resume=True, quiet=True)
    assert_same(everything(tmp_path / "broken"), everything(tmp_path / "whole"))


def test_run_killed_again_and_again_is_the_same(recipe, tmp_path, undisturbed, monkeypatch):
    run = tmp_path / "broken"
    broken_off(monkeypatch, run, recipe(), Stepper, "take", call=7)
    with monkeypatch.context() as context:
        kill_before(context, Stepper, "take", call=5)
        with pytest.raises(Killed):
            train(recipe(), run, resume=True, quiet=True)
    train(recipe(), run, resume=True, quiet=True)
    assert_same(everything(run), undisturbed)


@pytest.mark.parametrize("left", [0, 100, 0.5, 0.99])
def test_truncated_checkpoint_is_passed_over_with_a_warning(recipe, tmp_path, undisturbed, monkeypatch, capsys, left):
    run = tmp_path / "broken"
    broken_off(monkeypatch, run, recipe(), Stepper, "take", call=10)
    newest = sorted((run / "checkpoints").glob("step-*.ckpt"))[-1]
    content = newest.read_bytes()
    newest.write_bytes(content[: int(left if left > 1 else left * len(content))])
    train(recipe(), run, resume=True, quiet=True)
    assert "step-00000008.ckpt is damaged" in capsys.readouterr().err
    assert_same(everything(run), undisturbed)


def test_kill_while_a_checkpoint_is_written_leaves_no_rubbish(recipe, tmp_path, monkeypatch, undisturbed):
    run = tmp_path / "broken"
    broken_off(monkeypatch, run, recipe(), Stepper, "take", call=7)
    (run / "checkpoints" / ".step-00000008.0123abcd.partial.ckpt").write_bytes(b"half of it")
    train(recipe(), run, resume=True, quiet=True)
    assert_same(everything(run), undisturbed)


def test_damaged_best_step_takes_its_checkpoint_with_it(recipe, tmp_path, undisturbed, monkeypatch, capsys):
    run = tmp_path / "broken"
    broken_off(monkeypatch, run, recipe(), Stepper, "take", call=10)
    [best] = [path for path in (run / "checkpoints").glob("best-*.ckpt") if path.name == "best-00000004.ckpt"]
    best.write_bytes(b"")
    train(recipe(), run, resume=True, quiet=True)
    assert "best-00000004.ckpt is damaged" in capsys.readouterr().err
    assert_same(everything(run), undisturbed)


def test_signal_saves_the_step_and_the_run_goes_on_from_there(recipe, tmp_path, undisturbed, monkeypatch):
    run = tmp_path / "stopped"
    with monkeypatch.context() as context:
        send_sigterm(context, after=6)
        with pytest.raises(
            StoppedBySignal, match=r"stopped by SIGTERM after step 7; continue with `realface train .* --resume`"
        ):
            train(recipe(), run, quiet=True)
    assert CheckpointFolder(run, keep=3).newest().step == 7
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    train(recipe(), run, resume=True, quiet=True)
    whole = everything(run)
    assert "step-00000007.ckpt" in whole.pop("files")
    undisturbed.pop("files")
    assert_same(whole, undisturbed)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_run_that_waits_for_data(recipe, make_recipe, tmp_path, monkeypatch, workers, number):
    process = os.getpid()

    def block(*_):
        os.kill(process, number)
        threading.Event().wait()

    settings = recipe().model_dump(mode="json")
    settings["data"] |= {"workers": workers}
    monkeypatch.setattr(batches.EpochDataset, "__getitem__", block)
    start = time.monotonic()
    with pytest.raises(StoppedBySignal, match=r"after step 0; continue with `realface train .* --resume`") as caught:
        train(make_recipe(**settings), tmp_path / "run", quiet=True)
    assert time.monotonic() - start < 10
    assert caught.value.number == number
    assert multiprocessing.active_children() == []
    assert CheckpointFolder(tmp_path / "run", keep=3).newest().step == 0


def test_signal_that_ends_a_wait_loses_no_step(recipe, tmp_path, undisturbed, monkeypatch):
    run = tmp_path / "stopped"
    real, calls = batches.EpochDataset.__getitem__, iter(range(1000))

    def read(self, key):
        if next(calls) == 27:  # in the seventh batch
            signal.raise_signal(signal.SIGTERM)
        return real(self, key)

    with monkeypatch.context() as context:
        context.setattr(batches.EpochDataset, "__getitem__", read)
        with pytest.raises(StoppedBySignal, match="stopped by SIGTERM after step 6"):
            train(recipe(), run, quiet=True)
    train(recipe(), run, resume=True, quiet=True)
    whole = everything(run)
    assert "step-00000006.ckpt" in whole.pop("files")
    undisturbed.pop("files")
    assert_same(whole, undisturbed)


def test_run_of_torchrun_or_slurm_goes_on_by_the_same_command(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "started_places", lambda: Places(nodes=1, devices=1))
    send_sigterm(monkeypatch, after=1)
    with pytest.raises(StoppedBySignal, match=r"after step 2; continue with the same command with --resume$"):
        train(recipe(), tmp_path / "run", quiet=True)


def test_signal_during_a_validation_ends_at_once(recipe, tmp_path, undisturbed, monkeypatch):
    run = tmp_path / "stopped"
    real = validation.validation_metrics

    def judge(scores):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the validation went on")
        return real(scores)

    with monkeypatch.context() as context:
        context.setattr(validation, "validation_metrics", judge)
        with pytest.raises(StoppedBySignal, match="stopped by SIGINT after step 4"):
            train(recipe(), run, quiet=True)
    train(recipe(), run, resume=True, quiet=True)
    assert_same(everything(run), undisturbed)


def test_resume_begins_where_there_is_no_run(recipe, tmp_path, undisturbed):
    train(recipe(), tmp_path / "new", resume=True, quiet=True)
    assert_same(everything(tmp_path / "new"), undisturbed)


def test_resume_of_a_finished_run_gives_its_result_again(recipe, tmp_path, undisturbed):
    first = train(recipe(), tmp_path / "run", quiet=True)
    assert train(recipe(), tmp_path / "run", resume=True, quiet=True) == first
    assert_same(everything(tmp_path / "run"), undisturbed)


def test_longer_run_goes_on_where_the_schedule_allows_it(recipe, tmp_path):
    train(recipe(trainer={"steps": 5}), tmp_path / "run", quiet=True)
    result = train(recipe(), tmp_path / "run", resume=True, quiet=True)
    assert result.steps == 10
    cosine = {"schedule": {"name": "cosine"}}
    train(recipe(trainer={"steps": 5}, **cosine), tmp_path / "cosine", quiet=True)
    with pytest.raises(TrainingError, match=r"trainer\.steps was 5, now 10"):
        train(recipe(**cosine), tmp_path / "cosine", resume=True, quiet=True)


def test_resume_into_a_folder_of_something_else_is_refused(recipe, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputExistsError, match="is not empty"):
        train(recipe(), tmp_path, resume=True, quiet=True)


def test_run_in_which_another_process_trains_is_refused_untouched(recipe, tmp_path, monkeypatch):
    run = tmp_path / "run"
    broken_off(monkeypatch, run, recipe(), Stepper, "take", call=7)
    before = (run / "provenance.json").read_bytes()

    def refuse(*_):
        raise BlockingIOError

    with monkeypatch.context() as context:
        context.setattr(fcntl, "lockf", refuse)
        with pytest.raises(OutputExistsError, match="another process is writing in"):
            train(recipe(), run, resume=True, quiet=True)
    assert (run / "provenance.json").read_bytes() == before


def test_other_recipe_is_refused_with_every_difference(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    other = recipe(optim={"lr": 0.5}, seed=2, trainer={"log_every": 1})
    with pytest.raises(TrainingError, match=r"optim\.lr was 0\.05, now 0\.5; seed was 0, now 2; use the same one"):
        train(other, tmp_path / "run", resume=True, quiet=True)


def test_other_rows_are_refused(recipe, tmp_path, write_faces):
    train(recipe(), tmp_path / "run", quiet=True)
    write_faces(videos=[("new", 0, "train"), ("other", 1, "train"), ("v", 0, "val"), ("w", 1, "val")])
    with pytest.raises(TrainingError, match=r"the rows of data\.train are not those that it began with"):
        train(recipe(), tmp_path / "run", resume=True, quiet=True)


def test_steps_of_another_size_are_refused(recipe, tmp_path):
    train(recipe(), tmp_path / "run", quiet=True)
    with pytest.raises(TrainingError, match="steps had 4 crops over all processes, now they would have 8"):
        train(recipe(trainer={"accumulate": 2}), tmp_path / "run", resume=True, quiet=True)


def test_manifests_and_crops_may_lie_elsewhere(recipe, make_recipe, tmp_path, undisturbed, monkeypatch):
    broken_off(monkeypatch, tmp_path / "run", recipe(), Stepper, "take", call=7)
    (tmp_path / "faces").rename(tmp_path / "scratch")
    settings = recipe().model_dump(mode="json") | {"data": {"manifests": [tmp_path / "scratch" / "manifest.parquet"]}}
    train(make_recipe(**settings), tmp_path / "run", resume=True, quiet=True)
    assert_same(everything(tmp_path / "run"), undisturbed)


def test_crop_that_cannot_be_read_loses_no_step(recipe, tmp_path, undisturbed, monkeypatch):
    run = tmp_path / "run"
    real, calls = batches.EpochDataset.__getitem__, iter(range(1000))

    def read(self, key):
        return "row 1 of the manifest: gone" if next(calls) == 27 else real(self, key)  # in the seventh batch

    with monkeypatch.context() as context:
        context.setattr(batches.EpochDataset, "__getitem__", read)
        with pytest.raises(TrainingError, match="gone; replace the file and continue with --resume"):
            train(recipe(), run, quiet=True)
    assert CheckpointFolder(run, keep=3).newest().step == 6
    train(recipe(), run, resume=True, quiet=True)
    whole = everything(run)
    assert "step-00000006.ckpt" in whole.pop("files")
    undisturbed.pop("files")
    assert_same(whole, undisturbed)


def test_run_that_is_cut_short_right_after_a_row_of_the_log_is_judged(recipe, tmp_path, monkeypatch):
    rare = {"validate_every": 100, "log_every": 3}
    with monkeypatch.context() as context:
        send_sigterm(context, after=5)
        with pytest.raises(StoppedBySignal, match="after step 6"):
            train(recipe(trainer=rare), tmp_path / "run", quiet=True)
    result = train(recipe(trainer=rare | {"steps": 6}), tmp_path / "run", resume=True, quiet=True)
    assert (result.best_step, result.steps) == (6, 6)


def test_death_of_a_worker_saves_the_run_and_says_what_to_set(recipe, make_recipe, tmp_path, monkeypatch):
    real = batches.EpochDataset.__getitem__

    def die(self, key):
        return os.kill(os.getpid(), signal.SIGKILL) if key[0] == 2 else real(self, key)  # in the third epoch

    monkeypatch.setattr(batches.EpochDataset, "__getitem__", die)
    settings = recipe().model_dump(mode="json")
    settings["data"] |= {"workers": 1}
    with pytest.raises(
        TrainingError, match=r"killed by SIGKILL; .* set a smaller data\.workers.*; go on with --resume"
    ):
        train(make_recipe(**settings), tmp_path / "run", quiet=True)
    assert CheckpointFolder(tmp_path / "run", keep=3).newest().step <= 4
    assert multiprocessing.active_children() == []


def test_provenance_says_when_a_run_was_taken_up(recipe, tmp_path, monkeypatch):
    broken_off(monkeypatch, tmp_path / "run", recipe(), Stepper, "take", call=7)
    train(recipe(), tmp_path / "run", resume=True, quiet=True)
    [resumed] = json.loads((tmp_path / "run" / "provenance.json").read_text(encoding="utf-8"))["resumed"]
    assert (resumed["step"], resumed["seed"]) == (5, 0)


def test_end_that_is_past_is_refused_and_one_that_is_reached_is_judged(recipe, tmp_path, monkeypatch):
    rare = {"validate_every": 100}
    broken_off(monkeypatch, tmp_path / "run", recipe(trainer=rare), Stepper, "take", call=7)
    with pytest.raises(TrainingError, match=r"has taken 5 steps already, but trainer\.steps is 4; set it higher"):
        train(recipe(trainer=rare | {"steps": 4}), tmp_path / "run", resume=True, quiet=True)
    result = train(recipe(trainer=rare | {"steps": 5}), tmp_path / "run", resume=True, quiet=True)
    assert (result.best_step, result.steps) == (5, 5)


def test_resumed_run_does_not_ask_for_encoder_weights_again(recipe, tmp_path, monkeypatch, tiny_method):
    asked = []
    with_weights = replace(
        tiny_method, load_encoder_weights=lambda *_: asked.append("file"), download_encoder_weights=lambda _: None
    )
    monkeypatch.setitem(catalog.METHODS, "tiny", with_weights)
    (tmp_path / "imagenet.pt").touch()
    made = recipe(encoder_weights=tmp_path / "imagenet.pt")
    broken_off(monkeypatch, tmp_path / "run", made, Stepper, "take", call=7)
    train(made, tmp_path / "run", resume=True, quiet=True)
    assert asked == ["file"]
