"""Runs in processes of their own: several together, and one that is killed."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch

from realface.evaluation.scoring import Reading, score_crops
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import ScoreTable
from realface.models.artifact import load_network
from realface.training.checkpoint import CheckpointFolder

REALFACE = ("-m", "realface")
WAIT_S = 240


@pytest.fixture(scope="module")
def faces(write_manifest, tmp_path_factory):
    """The manifest of the runs that are compared."""
    return write_manifest(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def settings(faces):
    """Overrides of the demo's recipe: a small RECCE, everything by chance off that depends on the process."""
    return [
        f"data.manifests=[{faces}]",
        "method.input_size=64",
        "method.dropout=0",
        "optim={name: sgd, lr: 0.01, momentum: 0.9}",
        "schedule={name: constant}",
        "trainer={steps: 5, validate_every: 5, log_every: 1, device: cpu, frozen_norms: true, global_losses: true}",
        "data.val.batch_size=3",
    ]


@pytest.fixture(scope="module")
def alone(settings, tmp_path_factory):
    """The run of one process with a batch of eight."""
    run = tmp_path_factory.mktemp("runs") / "alone"
    end(start(*REALFACE, *command(run, settings, trainer__batch_size=8)))
    return run


def command(run, settings, **changes):
    changed = [f"{name.replace('__', '.')}={value}" for name, value in changes.items()]
    sets = [word for setting in [*settings, *changed] for word in ("--set", setting)]
    return ["train", "demo", "--out", str(run), *sets]


def start(*words):
    """A Python process with one thread, whose output can be read when it has ended."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK", "WORLD_SIZE")
    }
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, *words], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end(process, code=0):
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, err[-4000:]
    return out, err


def torchrun(*options):
    return ["-m", "torch.distributed.run", *options, *REALFACE]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def assert_close(run, other):
    """Weights agree within 3e-7; momenta, which sum gradients, and logged losses, of up to 3, within 1e-5."""
    one, two = (CheckpointFolder(folder, keep=3).newest() for folder in (run, other))
    torch.testing.assert_close(one.task, two.task, rtol=0, atol=3e-7)
    torch.testing.assert_close(one.optimiser["state"], two.optimiser["state"], rtol=0, atol=1e-5)  # SGD's momenta
    rows, other_rows = (list(csv.DictReader((folder / "log.csv").open())) for folder in (run, other))
    assert len(rows) == len(other_rows) == 5
    for row, other_row in zip(rows, other_rows, strict=True):
        for name in ("loss", "classification", "reconstruction", "metric", "gradient_norm", "val_log_loss"):
            if row[name]:
                assert float(row[name]) == pytest.approx(float(other_row[name]), abs=1e-5)


def test_two_processes_learn_what_one_with_the_double_batch_learns(settings, alone, faces, tmp_path):
    both = tmp_path / "both"
    out, _ = end(start(*REALFACE, *command(both, settings, trainer__batch_size=4, trainer__devices=2)))
    assert out.count("detector: ") == 1
    assert_close(both, alone)

    # the validation was shared, and its scores are those of one process, row for row
    torch.set_num_threads(1)
    rows = Manifest.read(faces).filter(split="val")
    reading = Reading(input_size=64, batch_size=3, device=torch.device("cpu"), quiet=True)
    scores = score_crops(load_network(both / "artifact"), rows, reading)
    assert scores.table.equals(ScoreTable.read(both / "validation_scores.parquet").table)


def test_two_machines_of_torchrun_learn_that_too_and_give_one_run(settings, alone, tmp_path):
    together = tmp_path / "together"
    port = free_port()
    machines = [
        start(
            *torchrun("--nnodes=2", f"--node-rank={rank}", "--nproc-per-node=1", f"--master-port={port}"),
            *command(together, settings, trainer__batch_size=4),
        )
        for rank in range(2)
    ]
    assert [end(machine)[0].count("detector: ") for machine in machines] == [1, 0]
    assert_close(together, alone)


def test_run_killed_with_workers_flips_and_average_goes_on_bit_for_bit(manifest, tmp_path):
    settings = [
        f"data.manifests=[{manifest}]",
        "data.workers=2",
        "method.input_size=64",
        "method.noise_std=0.1",
        "trainer={steps: 10, batch_size: 4, device: cpu, average_decay: 0.9, checkpoint_every: 5, log_every: 1}",
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    end(start(*REALFACE, *command(whole, settings)))
    killed = start(*REALFACE, *command(broken, settings))
    deadline = time.monotonic() + WAIT_S
    while not (broken / "checkpoints" / "step-00000005.ckpt").exists():
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    end(killed, code=-signal.SIGKILL)
    assert not (broken / "artifact").exists()
    end(start(*REALFACE, "train", "--out", str(broken), "--resume"))
    weights = [(folder / "artifact" / "model.safetensors").read_bytes() for folder in (whole, broken)]
    assert weights[0] == weights[1]


def wait_for_rows(log, process, *, num_rows):
    """Until a run's log has so many."""
    deadline = time.monotonic() + WAIT_S
    while not log.exists() or len(log.read_text().splitlines()) < 1 + num_rows:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sigterm_saves_the_run_and_says_how_to_go_on(manifest, tmp_path):
    settings = [f"data.manifests=[{manifest}]", "method.input_size=64", "trainer.batch_size=4", "trainer.device=cpu"]
    process = start(*REALFACE, *command(tmp_path / "run", settings, data__workers=1, trainer__log_every=1))
    wait_for_rows(tmp_path / "run" / "log.csv", process, num_rows=1)
    process.send_signal(signal.SIGTERM)
    _, err = end(process, code=128 + signal.SIGTERM)
    assert "stopped by SIGTERM after step" in err
    assert "hint: continue with `realface train" in err
    assert CheckpointFolder(tmp_path / "run", keep=3).newest().step >= 1


@pytest.mark.long
def test_two_processes_that_were_stopped_go_on_bit_for_bit(manifest, tmp_path):
    settings = [
        f"data.manifests=[{manifest}]",
        "data.workers=1",
        "method.input_size=64",
        "method.noise_std=0.1",
        "trainer={steps: 30, validate_every: 10, batch_size: 4, device: cpu, average_decay: 0.9, log_every: 1}",
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    end(start(*torchrun("--nproc-per-node=2", f"--master-port={free_port()}"), *command(whole, settings)))
    stopped = start(*torchrun("--nproc-per-node=2", f"--master-port={free_port()}"), *command(broken, settings))
    wait_for_rows(broken / "log.csv", stopped, num_rows=2)
    stopped.send_signal(signal.SIGTERM)
    _, err = end(stopped, code=1)  # torchrun's own, whatever its processes end with
    assert err.count("stopped by SIGTERM after step") == 1
    assert "hint: continue with the same command with --resume" in err
    assert 2 <= CheckpointFolder(broken, keep=3).newest().step < 30
    two = torchrun("--nproc-per-node=2", f"--master-port={free_port()}")
    end(start(*two, *command(broken, settings), "--resume"))

    def drawn(folder):
        return [str(states["torch"].tolist()) for states in CheckpointFolder(folder, keep=3).newest().generators]

    weights = [(folder / "artifact" / "model.safetensors").read_bytes() for folder in (whole, broken)]
    assert weights[0] == weights[1]
    assert drawn(whole) == drawn(broken)
    assert len(set(drawn(whole))) == 2  # each process its own noise
