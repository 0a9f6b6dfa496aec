"""The one scoring loop: a network and a manifest in, a score table out. Training validates with it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from realface.core.errors import MediaError
from realface.core.progress import progress
from realface.data.dataset import CropDataset, limit_worker_threads
from realface.data.manifest import Manifest
from realface.data.transforms import FaceTransform
from realface.metrics.score_table import SCHEMA, ScoreTable


@dataclass(frozen=True)
class FailedRow:
    """A row that could not be scored.

    Attributes:
        row: its number in the manifest that was scored, from 0.
        path: the file.
        reason: what was wrong with it, by which losses are counted.
        text: the whole message.
    """

    row: int
    path: str
    reason: str
    text: str


def score_crops(
    network: nn.Module,
    manifest: Manifest,
    *,
    input_size: int,
    device: torch.device,
    batch_size: int = 32,
    workers: int = 0,
    quiet: bool = False,
) -> ScoreTable:
    """Score every row.

    Args:
        network: returns an `Output` for (B, 3, H, W) in [0, 1]; already on `device`. It runs in eval mode, and every
            module is put back into the mode in which it came.
        manifest: the crops.
        input_size: height and width to which they are resized, in pixels.
        device: where the images go.
        batch_size: crops at a time.
        workers: processes that decode; 0 decodes in this one. Scores do not depend on it.
        quiet: show no progress.

    Returns:
        One row per crop, in the manifest's order.

    Raises:
        MediaError: a file is gone or is no picture.
        MetricError: the network gave something that is no probability.
    """
    table, failed = score_readable_crops(
        network,
        manifest,
        input_size=input_size,
        device=device,
        batch_size=batch_size,
        workers=workers,
        quiet=quiet,
    )
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise MediaError(f"{failed[0].text}{more}", reason=failed[0].reason)
    return table


def score_readable_crops(
    network: nn.Module,
    manifest: Manifest,
    *,
    input_size: int,
    device: torch.device,
    batch_size: int = 32,
    workers: int = 0,
    quiet: bool = False,
) -> tuple[ScoreTable, list[FailedRow]]:
    """Score the rows whose file can be read; the others are returned with the reason.

    Arguments and errors are those of `score_crops`, except that a bad file raises nothing.
    """
    crops = CropDataset(manifest, transform=FaceTransform(input_size), seed=0, training=False)
    loader = DataLoader(
        _Readable(crops, manifest),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_collated,
        worker_init_fn=limit_worker_threads,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else the loader draws from the global one, and validating would change training
    )
    scores = np.full(len(manifest), np.nan)
    failed: list[FailedRow] = []
    with (
        _evaluating(network),
        torch.inference_mode(),
        progress("score", len(manifest), unit="crops", quiet=quiet) as bar,
    ):
        for batch in loader:
            if batch.image is not None:
                output = network(batch.image.to(device, non_blocking=True))
                scores[batch.rows] = output.score.double().cpu().numpy()
            failed += batch.failed
            bar.advance(len(batch.rows) + len(batch.failed))
    kept = np.setdiff1d(np.arange(len(manifest)), [failure.row for failure in failed])
    columns = {name: manifest.table[name] for name in SCHEMA.names if name != "score"}
    rows = manifest.take(kept).table.select(list(columns))
    return ScoreTable(rows.append_column("score", pa.array(scores[kept])), where="scores of the network"), failed


@dataclass(frozen=True)
class _Batch:
    image: Tensor | None
    rows: list[int]
    failed: list[FailedRow]

    def pin_memory(self) -> _Batch:
        return _Batch(self.image if self.image is None else self.image.pin_memory(), self.rows, self.failed)


class _Readable(Dataset[Any]):
    """The crops, with a `FailedRow` in place of one that cannot be read."""

    def __init__(self, crops: CropDataset, manifest: Manifest) -> None:
        self._crops, self._manifest = crops, manifest

    def __len__(self) -> int:
        return len(self._manifest)

    def __getitem__(self, row: int) -> tuple[int, Tensor] | FailedRow:
        try:
            return row, self._crops[row]["image"]
        except MediaError as error:
            return FailedRow(row, str(self._manifest.file_of(row)), error.reason, str(error))


def _collated(items: Sequence[tuple[int, Tensor] | FailedRow]) -> _Batch:
    readable = [item for item in items if not isinstance(item, FailedRow)]
    return _Batch(
        image=torch.stack([image for _, image in readable]) if readable else None,
        rows=[row for row, _ in readable],
        failed=[item for item in items if isinstance(item, FailedRow)],
    )


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put all modules into eval mode, and each back into its own: a frozen part may have been in eval mode."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
