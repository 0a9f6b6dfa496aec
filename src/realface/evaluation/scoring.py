"""The one scoring loop: a network and a manifest in, a score table out. Training validates with it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from realface.core.errors import DeviceError, MediaError
from realface.core.progress import progress
from realface.data.dataset import CropDataset, CropItem, RowInput, crop_bytes, joined_inputs
from realface.data.loading import ItemReader, load_batches
from realface.data.transforms import FaceTransform
from realface.manifest.manifest import Manifest
from realface.metrics.score_table import SCHEMA, ScoreTable


@dataclass(frozen=True)
class FailedRow:
    """A row that could not be scored.

    Attributes:
        row: row number in the manifest that was scored, from 0.
        path: the file.
        reason: kind of error; skipped files are counted by this name.
        text: the whole message.
    """

    row: int
    path: str
    reason: str
    text: str


@dataclass(frozen=True)
class RankShare:
    """The share of one of several processes: every `size`-th batch, starting with batch number `rank`.

    The batches are the same as in a single process, so each score is the same to the last bit.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        gather: returns the values of all processes, by rank, from this process's value.
    """

    rank: int = 0
    size: int = 1
    gather: Callable[[Any], list[Any]] = lambda value: [value]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Settings with which the crops of a manifest are read and given to a network.

    Attributes:
        input_size: height and width to which crops are resized, in pixels.
        device: device of the network and the images.
        batch_size: number of crops at a time.
        workers: number of processes that decode crops; 0: the calling process does it. Results do not depend on it.
        quiet: show no progress.
        share: share of this process if several processes score together; each gets all results.
    """

    input_size: int
    device: torch.device
    batch_size: int = 32
    workers: int = 0
    quiet: bool = False
    share: RankShare = RankShare()


@dataclass(frozen=True)
class CropBatch:
    """Some crops of a manifest.

    Attributes:
        image: (B, 3, S, S) float32, in [0, 1], the readable crops; (0,) if no crop is readable.
        inputs: precomputed inputs of the readable crops, by name.
        rows: row numbers of the readable crops in the manifest.
        failed: the unreadable crops.
    """

    image: Tensor
    inputs: Mapping[str, Tensor]
    rows: list[int]
    failed: list[FailedRow]

    def on(self, device: torch.device) -> CropBatch:
        """Return the batch on a device."""
        inputs = {name: value.to(device, non_blocking=True) for name, value in self.inputs.items()}
        return replace(self, image=self.image.to(device, non_blocking=True), inputs=inputs)

    def pin_memory(self) -> CropBatch:
        """Return the batch in memory from which a GPU copies by itself; the loader calls this."""
        inputs = {name: value.pin_memory() for name, value in self.inputs.items()}
        return replace(self, image=self.image.pin_memory(), inputs=inputs)


Measure = Callable[..., Tensor]
"""A network, images (B, 3, H, W) in [0, 1] on its device, and their precomputed inputs by name -> a number for each
image, (B,), or several, (B, K)."""


def score_crops(
    network: nn.Module, manifest: Manifest, reading: Reading, *, inputs: Mapping[str, RowInput] | None = None
) -> ScoreTable:
    """Score every row of a manifest.

    Args:
        network: returns an `Output` for (B, 3, H, W) in [0, 1]; on the reading's device. It runs in eval mode, and each
            module returns to its former mode afterwards.
        manifest: the crops.
        reading: settings for reading crops.
        inputs: precomputed per-row inputs, keyed by the network's keyword argument.

    Returns:
        One row per crop, in the manifest's order.

    Raises:
        MediaError: a file is missing or no image.
        DeviceError: the memory of the device is too small for a batch.
        MetricError: a score is not a probability.
    """
    table, failed = score_readable_crops(network, manifest, reading, inputs=inputs)
    require_readable(failed)
    return table


def score_readable_crops(
    network: nn.Module, manifest: Manifest, reading: Reading, *, inputs: Mapping[str, RowInput] | None = None
) -> tuple[ScoreTable, list[FailedRow]]:
    """Score the rows whose file can be read, and return the other rows with the reason.

    Arguments and errors are the same as for `score_crops`, except that an unreadable file raises no error.
    """
    scores, failed = measure_crops(network, manifest, reading, measure=_score, inputs=inputs)
    kept = np.setdiff1d(np.arange(len(manifest)), [failure.row for failure in failed])
    return table_of_scores(manifest.take(kept), scores[kept]), failed


def measure_crops(
    network: nn.Module,
    manifest: Manifest,
    reading: Reading,
    *,
    measure: Measure,
    inputs: Mapping[str, RowInput] | None = None,
) -> tuple[NDArray[np.float64], list[FailedRow]]:
    """Measure one number, or several, of every row.

    Arguments are the same as for `score_crops`, and `measure`, which computes the numbers from the network.

    Returns:
        (rows,) or (rows, K) in the manifest's order, NaN where the file cannot be read; and those rows with the reason.

    Raises:
        DeviceError: the memory of the device is too small for a batch.
        LoadingError: see `load_batches`.
    """
    rows: list[int] = []
    numbers: list[NDArray[np.float64]] = []
    failed: list[FailedRow] = []
    with (
        evaluating(network),
        torch.inference_mode(),
        progress("score", len(manifest), unit="crops", quiet=reading.quiet) as bar,
    ):
        for batch in read_in_batches(manifest, reading, inputs=inputs):
            if batch.rows:
                numbers.append(_measured(measure, network, batch.on(reading.device)))
                rows += batch.rows
            failed += batch.failed
            bar.advance(len(batch.rows) + len(batch.failed))
    parts = reading.share.gather((rows, numbers, failed))
    shape = next((own[0].shape[1:] for _, own, _ in parts if own), ())
    every_number = np.full((len(manifest), *shape), np.nan)
    for part_rows, part_numbers, _ in parts:
        if part_numbers:
            every_number[part_rows] = np.concatenate(part_numbers)
    return every_number, sorted((failure for *_, part in parts for failure in part), key=lambda failure: failure.row)


def read_in_batches(
    manifest: Manifest,
    reading: Reading,
    *,
    rows: Sequence[int] | None = None,
    inputs: Mapping[str, RowInput] | None = None,
) -> Iterable[CropBatch]:
    """Read the crops of a manifest in order; a crop that cannot be read is listed in its batch.

    Args:
        manifest: the crops.
        reading: settings for reading crops; only the batches of its share are read.
        rows: numbers of the rows to read, from 0. Default: all.
        inputs: precomputed per-row inputs, keyed by the network's keyword argument.
    """
    size = reading.input_size
    crops = CropDataset(manifest, transform=FaceTransform(size), seed=0, training=False, inputs=inputs)
    read: ItemReader[int, CropBatch] = ItemReader(_Readable(crops), _collated)
    return load_batches(
        read,
        _batches(range(len(manifest)) if rows is None else rows, reading.batch_size, reading.share),
        workers=reading.workers,
        batch_bytes=reading.batch_size * crop_bytes(size, num_inputs=len(inputs or {})),
        pin_memory=reading.device.type == "cuda",
    )


def require_readable(failed: Sequence[FailedRow]) -> None:
    """Refuse rows that could not be read.

    Raises:
        MediaError: some rows could not be read. The text gives the first path and counts all further rows.
    """
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise MediaError(f"{failed[0].text}{more}", reason=failed[0].reason)


@contextmanager
def explain_out_of_memory(device: torch.device, *, num_crops: int) -> Iterator[None]:
    """Turn the out-of-memory error of a device into a `DeviceError` with a hint.

    Args:
        device: device of the crops.
        num_crops: crops that are computed at once.

    Raises:
        DeviceError: the memory of the device is too small.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"{device} has too little memory for {num_crops} crops at once",
            hint="give a smaller --batch-size, or in a recipe a smaller data.val.batch_size",
        ) from error


def table_of_scores(manifest: Manifest, scores: NDArray[np.float64]) -> ScoreTable:
    """Return the score table of a manifest.

    Args:
        manifest: the crops.
        scores: (rows,), in the manifest's order.

    Raises:
        MetricError: a score is not a probability.
    """
    rows = manifest.columns.table([name for name in SCHEMA.names if name != "score"])
    return ScoreTable(rows.append_column("score", pa.array(scores)), where="scores of the network")


def _score(network: nn.Module, image: Tensor, **inputs: Tensor) -> Tensor:
    score: Tensor = network(image, **inputs).score
    return score


def _measured(measure: Measure, network: nn.Module, batch: CropBatch) -> NDArray[np.float64]:
    with explain_out_of_memory(batch.image.device, num_crops=len(batch.rows)):
        numbers: NDArray[np.float64] = measure(network, batch.image, **batch.inputs).double().cpu().numpy()
    return numbers


def _batches(rows: Sequence[int], batch_size: int, share: RankShare) -> Iterator[list[int]]:
    """Yield the rows of each batch of a share, in order."""
    for start in range(share.rank * batch_size, len(rows), share.size * batch_size):
        yield list(rows[start : start + batch_size])


class _Readable(Dataset[Any]):
    """The crops, with a `FailedRow` in place of one that cannot be read."""

    def __init__(self, crops: CropDataset) -> None:
        self._crops = crops

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, row: int) -> CropItem | FailedRow:
        try:
            return self._crops[row]
        except MediaError as error:
            return FailedRow(row, str(self._crops.file_of(row)), error.reason, str(error))


def _collated(items: Sequence[CropItem | FailedRow]) -> CropBatch:
    readable: list[CropItem] = []
    failed: list[FailedRow] = []
    for item in items:
        if isinstance(item, FailedRow):
            failed.append(item)
        else:
            readable.append(item)
    return CropBatch(
        image=torch.stack([item["image"] for item in readable]) if readable else torch.empty(0),
        inputs=joined_inputs(readable),
        rows=[item["row"] for item in readable],
        failed=failed,
    )


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put all modules into eval mode, and restore the mode of each: a frozen part may have been in eval mode."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
