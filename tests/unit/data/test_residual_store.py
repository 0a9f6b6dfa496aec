import hashlib
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from realface.core.errors import ManifestError, MissingInputError, OutputExistsError, ResidualStoreError
from realface.data.crop_store import crop_keys
from realface.data.residual_store import ResidualHeader, ResidualStore, filled_store
from realface.manifest.manifest import Manifest

DIED = -signal.SIGKILL


def header(**fields):
    kind = {"mae": "ab" * 32, "input_size": 8, "mode": "exact", "outer_ring": False, "amplification": 4.0}
    return ResidualHeader(**(kind | {"covered": (2, 6)} | fields))


def residuals(*values):
    """One of each value, 0 outside of what is covered."""
    made = torch.zeros(len(values), 3, 8, 8)
    made[:, :, 2:6, 2:6] = torch.tensor(values).view(-1, 1, 1, 1)
    return made


def fill(folder, **shards):
    """Shards by their crops: one residual 0.1, 0.2, ... each."""
    with filled_store(folder, header()) as store:
        for keys in shards.values():
            store.add(list(keys), residuals(*(0.1 * (place + 1) for place in range(len(keys)))))


def test_what_was_stored_is_read_bit_for_bit(tmp_path):
    generator = torch.Generator().manual_seed(0)
    made = residuals(0.0, 0.0)
    made[:, :, 2:6, 2:6] = torch.rand(2, 3, 4, 4, generator=generator) * 2 - 1
    with filled_store(tmp_path / "store", header()) as store:
        store.add(["a", "b"], made)
    rows = ResidualStore(tmp_path / "store").rows(["b", "a", "b"])
    assert torch.equal(torch.stack([rows(row) for row in range(3)]), made[[1, 0, 1]])


def test_float16_is_off_by_half_a_step_of_its_at_most(tmp_path):
    made = residuals(0.0)
    made[:, :, 2:6, 2:6] = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with filled_store(tmp_path / "store", header(dtype="float16")) as store:
        store.add(["a"], made)
    read = ResidualStore(tmp_path / "store").rows(["a"])(0)
    assert read.dtype == torch.float32
    assert 0 < (read - made[0]).abs().max() <= 2**-12  # floats of 11 bits in [0.5, 1] stand 2^-11 apart
    assert np.load(tmp_path / "store" / "shard-00000.npy").dtype == np.float16


def test_only_what_is_covered_is_stored(tmp_path):
    fill(tmp_path / "store", one="ab")
    assert np.load(tmp_path / "store" / "shard-00000.npy").shape == (2, 3, 4, 4)


def test_a_later_process_goes_on_with_the_next_shard(tmp_path):
    fill(tmp_path / "store", one="ab", two="c")
    fill(tmp_path / "store", three="d")
    store = ResidualStore(tmp_path / "store")
    assert len(store) == 4
    assert "d" in store
    assert "e" not in store
    assert {path.name for path in (tmp_path / "store").iterdir()} == {
        ".lock",
        "header.json",
        *(f"shard-{number:05}.{suffix}" for number in range(3) for suffix in ("npy", "txt")),
    }


def test_rows_can_be_sent_to_workers_without_what_they_read(tmp_path):
    fill(tmp_path / "store", one="abcd")
    rows = ResidualStore(tmp_path / "store").rows(["c"])
    sent = pickle.dumps(rows)
    assert len(sent) < 2000
    assert pickle.loads(sent)(0).max() == pytest.approx(0.3)


def test_shard_that_vanished_since_is_named_with_what_to_do(tmp_path):
    fill(tmp_path / "store", one="ab", two="c")
    rows = ResidualStore(tmp_path / "store").rows(["a", "c"])
    (tmp_path / "store" / "shard-00001.npy").unlink()
    assert rows(0).max() == pytest.approx(0.1)
    expected = (
        r"shard-00001\.npy has disappeared since the start of the run; put it back, or compute its crops again: remove "
        "shard-00001.txt, and give the same `realface residuals` again; then resume"
    )
    with pytest.raises(ResidualStoreError, match=expected):
        rows(1)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from realface.data import residual_store
from realface.data.residual_store import ResidualHeader, filled_store
header = ResidualHeader.model_validate_json(sys.argv[2])
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
with filled_store(Path(sys.argv[1]), header) as store:
    store.add(["a", "b"], torch.zeros(2, 3, 8, 8))
    def die_in_the_middle(path, stored):
        path.write_bytes(b"half of it")
        die()
    if sys.argv[3] == "save":
        residual_store.np.save = die_in_the_middle
    else:
        residual_store.write_text = die
    store.add(["c", "d"], torch.zeros(2, 3, 8, 8))
"""


@pytest.mark.parametrize("before", ["save", "write_text"])
def test_killed_process_loses_the_shard_in_flight_and_nothing_else(tmp_path, before):
    arguments = [str(tmp_path / "store"), header().model_dump_json(), before]
    assert subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False).returncode == DIED
    assert len(ResidualStore(tmp_path / "store")) == 2
    fill(tmp_path / "store", one="cd")
    store = ResidualStore(tmp_path / "store")
    assert [round(store.rows([key])(0).max().item(), 1) for key in "abcd"] == [0, 0, 0.1, 0.2]
    assert not list((tmp_path / "store").glob(".*partial*"))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            {"mae": "cd" * 32},
            "of [MAE abababababab, 8 px, exact, without the outer ring, amplification 4, fp32, float32], "
            "but the new residuals would be of [MAE cdcdcdcdcdcd, 8 px,",
        ),
        ({"mode": "fast"}, "8 px, fast, without"),
        ({"outer_ring": True, "covered": (0, 8)}, "with the outer ring"),
        ({"dtype": "float16"}, "fp32, float16]; give another folder"),
        ({"precision": "bf16"}, "bf16, float32]; give another folder"),
    ],
)
def test_store_of_another_kind_is_refused_with_both(tmp_path, other, told):
    fill(tmp_path / "store", one="ab")
    with pytest.raises(ResidualStoreError) as caught, filled_store(tmp_path / "store", header(**other)):
        pytest.fail("went in")
    assert told in str(caught.value)


def test_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").touch()
    with (
        pytest.raises(OutputExistsError, match="contains files that are not residuals"),
        filled_store(tmp_path, header()),
    ):
        pytest.fail("went in")
    assert os.listdir(tmp_path) == ["notes.txt"]  # noqa: PTH208


def test_two_processes_do_not_fill_one_store(tmp_path, monkeypatch):
    def refuse(*_):
        raise BlockingIOError

    monkeypatch.setattr("fcntl.lockf", refuse)
    with pytest.raises(OutputExistsError, match="another process is writing"), filled_store(tmp_path, header()):
        pytest.fail("went in")


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_damaged_shard_is_named_with_what_to_do(tmp_path, damage):
    fill(tmp_path / "store", one="ab", two="cd")
    file = tmp_path / "store" / "shard-00001.npy"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "gone":
        file.unlink()
    else:
        np.save(file, np.zeros((2, 3, 5, 5), np.float32))
    told = r"shard-00001\.npy is missing, damaged, or not of this store; remove it and shard-00001\.txt"
    with pytest.raises(ResidualStoreError, match=told):
        ResidualStore(tmp_path / "store")


def test_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"folder of residuals .* does not exist"):
        ResidualStore(tmp_path / "none")
    with pytest.raises(ResidualStoreError, match=r"has no header\.json; pass a folder that `realface residuals` wrote"):
        ResidualStore(tmp_path)
    for text in ("{", '{"format": 2}'):
        (tmp_path / "header.json").write_text(text)
        with pytest.raises(ResidualStoreError, match=r"header\.json cannot be used"):
            ResidualStore(tmp_path)


def test_key_is_the_manifests_hash_or_else_the_files(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    rows = [{"path": "a.png", "label": 0, "sha256": sha256} for sha256 in ("AB" * 32, None)]
    manifest = Manifest.from_rows([*rows, {"path": "gone.png", "label": 0}], root=tmp_path)
    assert crop_keys(manifest) == ["ab" * 32, hashlib.sha256(b"a").hexdigest(), ""]


def test_hash_that_is_none_is_refused_with_its_row(tmp_path):
    manifest = Manifest.from_rows([{"path": "a.png", "label": 0, "sha256": "x y"}], root=tmp_path)
    with pytest.raises(ManifestError, match="row 1 of the manifest: sha256 must be 64 hexadecimal digits, got 'x y'"):
        crop_keys(manifest)


def test_kind_says_nothing_of_how_it_was_computed():
    assert header(precision="bf16", dtype="float16").kind == header().kind
    assert header(mode="fast").kind != header().kind
