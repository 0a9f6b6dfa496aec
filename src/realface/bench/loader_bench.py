"""Images per second of the training loader, and the share of time that a training loop waits for it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.bench.timing_stats import format_stats, summarise
from realface.core.progress import progress
from realface.manifest.manifest import Manifest
from realface.media.images import write_image
from realface.training.batches import Batch, training_batches

SUFFIXES = {"jpeg": ".jpg", "png": ".png"}
WORKERS = (0, 1, 2)
WARM_UP = 4
"""Batches before the rate is measured, because workers deliver their first batches together; a multiple of 1 and 2."""
OCTAVES = ((6, 3, 60.0), (24, 1, 18.0), (75, 1, 9.0), (299, 1, 1.0))
"""Cells per side, channels and standard deviation of the layers of noise that are added to make a crop.

Chosen so that a crop of 299 px takes 34 kB as JPEG and 136 kB as PNG; crops of that size from photos and videos of
faces take 24 to 52 kB and 80 to 163 kB.
"""


@dataclass(frozen=True)
class LoaderSize:
    """Amount of work of the benchmark.

    Attributes:
        image_size: height and width of a crop, in pixels.
        num_crops: number of files of each format.
        batch_size: crops per batch.
        num_batches: number of batches over which the rate is measured, without the warm-up.
        num_steps: steps of the loop whose waiting is measured, without the first batch.
        step_s: duration of each of these steps, in seconds.
    """

    image_size: int = 299
    num_crops: int = 256
    batch_size: int = 16
    num_batches: int = 20
    num_steps: int = 60
    step_s: float = 0.05


@dataclass(frozen=True)
class Deliveries:
    """Times at which a loop requested and received each batch, in seconds.

    Attributes:
        requested: (batches,), each after the step of the previous batch.
        received: (batches,).
    """

    requested: NDArray[np.float64]
    received: NDArray[np.float64]

    @property
    def first_s(self) -> float:
        """Seconds that the loop waits for the first batch, which includes the start of the workers."""
        return float(self.received[0] - self.requested[0])

    @property
    def batches_per_s(self) -> float:
        """Batches per second after the warm-up."""
        return float((len(self.received) - WARM_UP) / (self.received[-1] - self.received[WARM_UP - 1]))

    @property
    def waiting(self) -> float:
        """Share of time that the loop waits, in [0, 1], between the first and the last batch."""
        return float((self.received[1:] - self.requested[1:]).sum() / (self.received[-1] - self.received[0]))


def bench_loader(*, repeats: int = 5, size: LoaderSize | None = None, quiet: bool = False) -> dict[str, Any]:
    """Time the training loader on generated crops, which are in the system's file cache.

    Two things are measured: the rate at which a loop without work receives batches, for each format and several numbers
    of workers; and the share of time that a loop waits if its steps take `step_s`, as on a GPU, with JPEG and two
    workers. All are interleaved, so other load on the machine affects all measurements.

    Args:
        repeats: number of repeats, each with new workers.
        size: amount of work; the default `LoaderSize` when None.
        quiet: show no progress.

    Returns:
        JSON-ready: `throughput` and `waiting` as median, minimum and maximum of the repeats. The first batch is
        reported separately.
    """
    size = size or LoaderSize()
    rates: dict[tuple[str, int], list[Deliveries]] = {(kind, workers): [] for kind in SUFFIXES for workers in WORKERS}
    waits: list[Deliveries] = []
    with tempfile.TemporaryDirectory() as temporary:
        crops = {kind: write_crops(Path(temporary, kind), suffix, size) for kind, suffix in SUFFIXES.items()}
        kilobytes = {kind: _mean_kilobytes(rows) for kind, rows in crops.items()}
        with progress("bench loader", repeats * (len(rates) + 1), unit="runs", quiet=quiet) as bar:
            for _ in range(repeats):
                for (kind, workers), runs in rates.items():
                    num_batches = WARM_UP + size.num_batches
                    batches = _batches(crops[kind], size, num_batches=num_batches, workers=workers)
                    runs.append(deliveries(batches, step_s=0.0))
                    bar.advance()
                batches = _batches(crops["jpeg"], size, num_batches=1 + size.num_steps, workers=2)
                waits.append(deliveries(batches, step_s=size.step_s))
                bar.advance()
    return {
        "size": asdict(size),
        "kilobytes": kilobytes,
        "throughput": [
            {
                "format": kind,
                "workers": workers,
                "images_per_s": summarise([size.batch_size * run.batches_per_s for run in runs]),
                "first_batch_s": summarise([run.first_s for run in runs]),
            }
            for (kind, workers), runs in rates.items()
        ],
        "waiting": {
            "format": "jpeg",
            "workers": 2,
            "share": summarise([run.waiting for run in waits]),
            "first_batch_s": summarise([run.first_s for run in waits]),
        },
    }


def loader_table(result: Mapping[str, Any]) -> list[str]:
    """Return the result of `bench_loader` as lines of text."""
    size, waiting = result["size"], result["waiting"]
    kilobytes = ", ".join(f"{kind} of {mean:.0f} kB" for kind, mean in result["kilobytes"].items())
    return [
        f"  crops of {size['image_size']} px: {kilobytes}; batches of {size['batch_size']}",
        *(
            f"  {row['format']:<5}{row['workers']} workers  images/s {format_stats(row['images_per_s'], '7.1f')}"
            f"  first batch {row['first_batch_s']['median']:.2f} s"
            for row in result["throughput"]
        ),
        f"  waiting for {waiting['format']}, {waiting['workers']} workers, steps of {1000 * size['step_s']:g} ms: "
        f"{format_stats(waiting['share'], '.2%')}  first batch {waiting['first_batch_s']['median']:.2f} s",
    ]


def write_crops(folder: Path, suffix: str, size: LoaderSize) -> Manifest:
    """Write generated crops, half of them labelled fake. They are the same every time."""
    generator = np.random.default_rng(0)
    rows = [{"path": f"{index:04d}{suffix}", "label": index % 2} for index in range(size.num_crops)]
    for row in rows:
        write_image(folder / str(row["path"]), face_like(generator, size.image_size))
    return Manifest.from_rows(rows, root=folder)


def face_like(generator: np.random.Generator, image_size: int) -> NDArray[np.uint8]:
    """Return an image that takes as much space and decoding time as a face: smooth colours, and texture of all scales.

    Returns:
        (image_size, image_size, 3) RGB.
    """
    image = np.full((image_size, image_size, 3), 128.0)
    for cells, channels, deviation in OCTAVES:
        noise = generator.normal(0, deviation, (cells, cells, channels))
        resized = cv2.resize(noise, (image_size, image_size), interpolation=cv2.INTER_CUBIC)
        image += resized.reshape(image_size, image_size, channels)  # OpenCV drops a single channel
    return image.clip(0, 255).astype(np.uint8)


def deliveries(batches: Iterable[Batch], *, step_s: float) -> Deliveries:
    """Iterate over all batches, sleep `step_s` seconds after each, and record the times of request and receipt."""
    iterator = iter(batches)
    requested = [time.perf_counter()]
    batch = next(iterator, None)
    received = [time.perf_counter()]
    while batch is not None:
        if step_s > 0:
            time.sleep(step_s)
        requested.append(time.perf_counter())
        following = next(iterator, None)
        received.append(time.perf_counter())
        batch = following  # frees the previous batch at the same point as the training loop; that takes milliseconds
    return Deliveries(
        np.array(requested[:-1]), np.array(received[:-1])
    )  # without the last request, which found the end


def _batches(rows: Manifest, size: LoaderSize, *, num_batches: int, workers: int) -> Iterable[Batch]:
    return training_batches(
        rows,
        input_size=size.image_size,
        batch_size=size.batch_size,
        num_batches=num_batches,
        seed=0,
        flip=0.5,
        workers=workers,
    )


def _mean_kilobytes(rows: Manifest) -> float:
    return float(np.mean([rows.file_of(row).stat().st_size for row in range(len(rows))])) / 1000
