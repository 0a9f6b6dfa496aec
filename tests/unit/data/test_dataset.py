import errno
import pickle
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from realface.core.errors import LoadingError, MediaError
from realface.data.dataset import CropDataset, crop_bytes, init_worker, joined_inputs
from realface.data.transforms import FaceTransform
from realface.manifest.manifest import Manifest
from realface.media.images import write_image


@pytest.fixture
def manifest(tmp_path):
    """Four crops, each white on the left, of brightness 10, 20, 30, 40."""
    for i in range(4):
        image = np.zeros((8, 8, 3), np.uint8)
        image[:, :4] = 10 * (i + 1)
        write_image(tmp_path / f"{i}.png", image)
    return Manifest.from_rows([{"path": f"{i}.png", "label": i % 2} for i in range(4)], root=tmp_path)


def dataset_of(manifest, *, training=True, seed=7, flip=0.5):
    return CropDataset(manifest, transform=FaceTransform(8, flip=flip), seed=seed, training=training)


def images(dataset, **loading):
    return torch.cat([batch["image"] for batch in DataLoader(dataset, batch_size=2, **loading)])


def test_an_item_is_image_label_and_row(manifest):
    item = dataset_of(manifest, training=False)[3]
    assert item["image"].shape == (3, 8, 8)
    assert item["image"].max().item() == pytest.approx(40 / 255)
    assert item["label"].dtype == torch.int64
    assert (item["label"].item(), item["row"]) == (1, 3)


def test_a_row_names_its_file_whatever_letters_and_pieces_the_paths_come_in(tmp_path):
    paths = ["a.png", "żółw/ü.png", "/elsewhere/c.png", "漢字.png"]
    whole = Manifest.from_rows([{"path": path, "label": 0} for path in paths], root=tmp_path)
    manifest = Manifest.concatenate([whole.take([3]), whole.take([0, 1, 2]).take([1, 2]), whole.filter(label=1)])
    dataset = dataset_of(manifest)
    files = [tmp_path / "漢字.png", tmp_path / "żółw/ü.png", Path("/elsewhere/c.png")]
    assert [dataset.file_of(row) for row in range(len(dataset))] == files
    assert len(dataset_of(whole.filter(label=1))) == 0


def test_workers_get_paths_and_labels_and_no_other_column(tmp_path):
    columns = {"video": "v" * 1000, "sha256": "f" * 1000}
    manifest = Manifest.from_rows([{"path": "a.png", "label": 0, **columns}] * 1000, root=tmp_path)
    assert len(pickle.dumps(dataset_of(manifest))) < 50_000  # of two million bytes


def test_chance_follows_seed_epoch_and_row_and_not_the_order_of_reading(manifest):
    forward, backward = dataset_of(manifest), dataset_of(manifest)
    rows = [forward[row]["image"] for row in range(4)]
    assert all(torch.equal(backward[row]["image"], rows[row]) for row in reversed(range(4)))


def test_epochs_and_seeds_change_what_happens_to_a_row(manifest):
    dataset = dataset_of(manifest)
    seen = set()
    for epoch in range(16):
        dataset.set_epoch(epoch)
        seen.add(dataset[0]["image"][0, 0, 0].item() > 0)
    assert seen == {True, False}
    assert {dataset_of(manifest, seed=seed)[0]["image"][0, 0, 0].item() > 0 for seed in range(16)} == {True, False}


def test_nothing_is_left_to_chance_outside_of_training(manifest):
    assert torch.equal(images(dataset_of(manifest, training=False)), images(dataset_of(manifest, flip=0.0)))


def test_workers_give_the_same_as_none(manifest):
    dataset = dataset_of(manifest)
    dataset.set_epoch(3)
    with_workers = images(dataset, num_workers=2, worker_init_fn=init_worker)
    assert torch.equal(with_workers, images(dataset))


def test_a_dataset_can_be_pickled_for_spawned_workers(manifest):
    assert torch.equal(images(pickle.loads(pickle.dumps(dataset_of(manifest)))), images(dataset_of(manifest)))


def test_a_missing_or_bad_file_is_named_with_its_row_and_reason(manifest, tmp_path):
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").write_text("text")
    with pytest.raises(MediaError, match=r"^row 2 of the manifest: .*1\.png") as missing:
        dataset_of(manifest)[1]
    with pytest.raises(MediaError, match=r"^row 3 of the manifest: .*2\.png") as bad:
        dataset_of(manifest)[2]
    assert (missing.value.reason, bad.value.reason) == ("missing file", "not a picture")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_damage_of_a_crop(manifest, monkeypatch, number):
    def fail(path):
        raise MediaError("not a picture", reason="not a picture") from OSError(number, "Too many open files")

    monkeypatch.setattr("realface.data.dataset.read_image", fail)
    with pytest.raises(LoadingError, match=r"2\.png: too many open files; raise the limit with `ulimit -n 4096`$"):
        dataset_of(manifest)[2]


def test_size_of_a_crop_counts_its_inputs():
    assert crop_bytes(10) == 1200
    assert crop_bytes(10, num_inputs=2) == 3600


def test_a_worker_is_kept_to_one_thread_and_leaves_signals_to_its_parent():
    num_threads = cv2.getNumThreads()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        init_worker(0)
        assert cv2.getNumThreads() == 1
        assert {signal.getsignal(number) for number in handlers} == {signal.SIG_IGN}
    finally:
        cv2.setNumThreads(num_threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_what_was_computed_beforehand_comes_with_its_row(manifest):
    inputs = {"residual": lambda row: torch.full((3, 8, 8), float(row))}
    dataset = CropDataset(manifest, transform=FaceTransform(8), seed=0, training=False, inputs=inputs)
    assert dataset[2]["inputs"]["residual"].unique().tolist() == [2.0]
    assert joined_inputs([dataset[3], dataset[1]])["residual"][:, 0, 0, 0].tolist() == [3.0, 1.0]
    assert joined_inputs([]) == {}
