"""Training and evaluation end, whatever their worker processes and shared memory do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from realface.core.artifact import ArtifactCard
from realface.core.crop_spec import CropSpec
from realface.models.artifact import save_artifact
from realface.models.catalog import get_method
from realface.training.checkpoint import CheckpointFolder

WAIT_S = 240
COMMANDS = """
import json, os, sys
from realface.cli.main import run
for words in json.loads(sys.argv[1]):
    if words[0] == "fill":
        with open("/dev/shm/fill", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
    else:
        print("code", run(words), flush=True)
"""
BLOCKED = """
import sys, time
from pathlib import Path
from realface.cli.main import main
from realface.data import dataset

marker = Path(sys.argv.pop(1))

def read(path):
    marker.touch()
    while True:
        time.sleep(3600)

dataset.read_image = read
main()
"""

UNFINISHED = """
from realface.data.loading import load_batches

batches = load_batches(sum, [[1, 2], [3, 4], [5, 6]], workers=1, batch_bytes=64, prefetch=1)
print(next(batches))
"""


@pytest.fixture(scope="module")
def faces(write_manifest, tmp_path_factory):
    return write_manifest(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """A small RECCE with random weights."""
    torch.manual_seed(0)
    method = get_method("recce")
    config = method.config_type(encoder="light_xception", input_size=64)
    card = ArtifactCard(method="recce", config=config.model_dump(mode="json"), input_size=64, crop=CropSpec(size=64))
    folder = tmp_path_factory.mktemp("artifact") / "artifact"
    save_artifact(folder, method.build_network(config), card)
    return folder


def training(faces, run, *, workers=2, batch_size=8, input_size=64):
    settings = [
        f"data.manifests=[{faces}]",
        f"data.workers={workers}",
        f"method.input_size={input_size}",
        f"trainer={{steps: 1, validate_every: 1, device: cpu, batch_size: {batch_size}}}",
        f"data.val.batch_size={batch_size}",
    ]
    return ["train", "demo", "--out", str(run), *(word for setting in settings for word in ("--set", setting))]


def evaluation(artifact, faces, out, *, workers=2):
    return ["evaluate", str(artifact), str(faces), "--split", "val", "--out", str(out), "--workers", str(workers)]


@contextmanager
def started(*words, script, prefix=()):
    """A Python process with one thread, which does not outlive the block."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*prefix, sys.executable, "-c", script, *words], env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def with_shared_memory(size):
    """Words that start a process with a /dev/shm of its own; skips the test where that is not allowed."""
    if shutil.which("unshare") is None:
        pytest.skip("no command unshare, by which a process gets a /dev/shm of its own")
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    prefix = [*unshare, "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"', "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mount namespaces are not allowed here, so /dev/shm cannot be made small")
    return prefix


def codes(commands, *, prefix=()):
    """The exit code of each command, run one after the other in one process, and all lines on stderr."""
    with started(json.dumps(commands), script=COMMANDS, prefix=prefix) as process:
        out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    found = [int(line.split()[1]) for line in out.splitlines() if line.startswith("code ")]
    return found, [line for line in err.splitlines() if not line.startswith(("train:", "score:"))]


def test_small_shared_memory_trains_and_full_one_is_an_error(faces, artifact, tmp_path):
    commands = [
        training(faces, tmp_path / "run", batch_size=32),  # 1.6 MB a batch
        evaluation(artifact, faces, tmp_path / "scores"),
        ["fill"],
        training(faces, tmp_path / "full"),
        evaluation(artifact, faces, tmp_path / "none"),
    ]
    found, lines = codes(commands, prefix=with_shared_memory("1m"))
    assert found == [0, 0, 2, 2]
    errors = [line for line in lines if line.startswith("error: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(errors) == len(hints) == 2
    assert all("/dev/shm has 0 kB free" in line for line in errors)
    assert all("`docker run --shm-size=1g`" in line for line in hints)
    assert not any("Traceback" in line for line in lines)
    assert CheckpointFolder(tmp_path / "full", keep=3).newest().step == 0
    assert not (tmp_path / "none").exists()


def test_program_ends_though_it_did_not_read_all_batches():
    with started(script=UNFINISHED) as process:
        out, err = process.communicate(timeout=WAIT_S)
    foreign = [line for line in err.splitlines() if not line.startswith("OPENCV: Trying to disable")]
    assert (process.returncode, out, foreign) == (0, "3\n", [])


@pytest.mark.long
def test_docker_s_shared_memory_trains_with_batches_that_would_fill_it(faces, tmp_path):
    large = training(faces, tmp_path / "run", batch_size=32, input_size=256)  # 25 MB a batch, 225 MB on their way
    found, lines = codes([large], prefix=with_shared_memory("64m"))
    assert found == [0]
    assert not any("Traceback" in line for line in lines)


@pytest.mark.long
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_few_open_files_end_with_one_error_or_are_enough(faces, artifact, tmp_path, command):
    train_or_evaluate = {
        "train": training(faces, tmp_path / "out"),
        "evaluate": evaluation(artifact, faces, tmp_path / "out"),
    }
    for limit, code in ((24, 2), (96, 0)):
        found, lines = codes([train_or_evaluate[command]], prefix=["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"])
        assert found == [code]
        assert len([line for line in lines if "raise the limit with `ulimit -n 4096`" in line]) == (code == 2)
        assert not any("Traceback" in line for line in lines)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


@contextmanager
def blocked(command, tmp_path):
    """A process whose workers, or itself without any, wait for a crop that never comes."""
    with started(str(tmp_path / "waits"), *command, script=BLOCKED) as process:
        deadline = time.monotonic() + WAIT_S
        while not (tmp_path / "waits").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process


@pytest.mark.long
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_one_sigterm_ends_a_command_that_waits_for_data(faces, artifact, tmp_path, command, workers):
    words = {
        "train": training(faces, tmp_path / "out", workers=workers),
        "evaluate": evaluation(artifact, faces, tmp_path / "out", workers=workers),
    }
    with blocked(words[command], tmp_path) as process:
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WAIT_S)  # ends when no worker is left that could write
    assert time.monotonic() - start < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert err.strip().count("\n") == 0
    assert "stopped by SIGTERM" in err
    assert (tmp_path / "out").exists() == (command == "train")
