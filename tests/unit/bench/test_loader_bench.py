import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from realface.bench.loader_bench import (
    WARM_UP,
    WORKERS,
    Deliveries,
    LoaderSize,
    bench_loader,
    deliveries,
    face_like,
    loader_table,
    write_crops,
)
from realface.media.images import read_image
from realface.training.batches import Batch

TINY = LoaderSize(image_size=16, num_crops=4, batch_size=2, num_batches=2, num_steps=3, step_s=0.001)


def test_the_rate_leaves_out_the_warm_up() -> None:
    came = np.array([9.0, 9.0, 9.5, 10.0, 10.5, 11.0])  # two batches in the second after the fourth
    assert WARM_UP == 4
    assert Deliveries(requested=np.zeros(6), received=came).batches_per_s == 2


def test_the_waiting_leaves_out_the_first_batch_only() -> None:
    asked, came = np.array([0.0, 4.0, 6.0]), np.array([3.0, 5.0, 7.0])
    moments = Deliveries(requested=asked, received=came)
    assert moments.waiting == 2 / 4  # from 4 to 5 and from 6 to 7, of the time from 3 to 7
    assert moments.first_s == 3


def test_a_loop_asks_again_after_its_step() -> None:
    batch = Batch(torch.zeros(1, 3, 2, 2), torch.zeros(1, dtype=torch.int64))
    moments = deliveries([batch] * 3, step_s=0.02)
    assert len(moments.received) == len(moments.requested) == 3
    assert (moments.requested[1:] - moments.received[:-1] >= 0.02).all()
    assert (moments.received >= moments.requested).all()


def test_a_batch_is_let_go_when_the_next_has_come() -> None:
    is_held: list[bool] = []

    def batches() -> Iterator[Batch]:
        for _ in range(3):
            batch = Batch(torch.zeros(1, 3, 2, 2), torch.zeros(1, dtype=torch.int64))
            reference = weakref.ref(batch)
            yield batch
            del batch
            is_held.append(reference() is not None)

    deliveries(batches(), step_s=0.0)
    assert is_held == [True, True, True]


def test_crops_are_of_both_classes_and_the_same_every_time(tmp_path: Path) -> None:
    rows = write_crops(tmp_path / "png", ".png", TINY)
    again = write_crops(tmp_path / "again", ".png", TINY)
    assert rows.labels.tolist() == [0, 1, 0, 1]
    images = [read_image(rows.file_of(row)) for row in range(4)]
    assert images[0].shape == (16, 16, 3)
    assert not np.array_equal(images[0], images[1])
    assert all(np.array_equal(image, read_image(again.file_of(row))) for row, image in enumerate(images))


@pytest.mark.parametrize(("suffix", "least", "most"), [(".jpg", 24_000, 52_000), (".png", 80_000, 163_000)])
def test_crops_are_as_large_as_those_of_faces(tmp_path: Path, suffix: str, least: int, most: int) -> None:
    rows = write_crops(tmp_path, suffix, LoaderSize(num_crops=3))
    assert all(least < rows.file_of(row).stat().st_size < most for row in range(3))


def test_a_crop_is_smooth_with_fine_texture() -> None:
    image = face_like(np.random.default_rng(0), 299).astype(float)
    neighbours = np.abs(np.diff(image, axis=0)).mean()
    assert 0 < neighbours < image.std() / 5


@pytest.fixture(scope="module")
def result() -> dict[str, object]:
    return bench_loader(repeats=1, size=TINY, quiet=True)


def test_both_formats_are_timed_with_every_number_of_workers(result: dict[str, object]) -> None:
    assert json.loads(json.dumps(result)) == result
    rows = result["throughput"]
    assert isinstance(rows, list)
    assert [(row["format"], row["workers"]) for row in rows] == [(f, n) for f in ("jpeg", "png") for n in WORKERS]
    assert all(row["images_per_s"]["min"] > 0 and row["first_batch_s"]["min"] > 0 for row in rows)


def test_the_wait_is_a_share(result: dict[str, object]) -> None:
    waiting = result["waiting"]
    assert isinstance(waiting, dict)
    assert (waiting["format"], waiting["workers"]) == ("jpeg", 2)
    assert 0 <= waiting["share"]["median"] <= 1


def test_the_table_has_a_line_for_every_timing() -> None:
    stats = {"median": 0.25, "min": 0.125, "max": 0.5}
    row = {"format": "png", "workers": 1, "images_per_s": stats, "first_batch_s": stats}
    lines = loader_table(
        {
            "size": {"image_size": 299, "batch_size": 16, "step_s": 0.05},
            "kilobytes": {"jpeg": 34.2, "png": 136.4},
            "throughput": [row],
            "waiting": {"format": "jpeg", "workers": 2, "share": stats, "first_batch_s": stats},
        }
    )
    assert [" ".join(line.split()) for line in lines] == [
        "crops of 299 px: jpeg of 34 kB, png of 136 kB; batches of 16",
        "png 1 workers images/s 0.2 ( 0.1 - 0.5) first batch 0.25 s",
        "waiting for jpeg, 2 workers, steps of 50 ms: 25.00% (12.50% - 50.00%) first batch 0.25 s",
    ]
