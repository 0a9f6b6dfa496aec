"""The crops of a manifest as tensors, decoded in the loader's workers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from realface.core.errors import LoadingError, MediaError, MissingInputError
from realface.manifest.columns import bytes_of
from realface.manifest.manifest import Manifest
from realface.media.images import read_image
from realface.media.input_files import has_too_many_files

Transform = Callable[[NDArray[np.uint8], np.random.Generator | None], Tensor]
RowInput = Callable[[int], Tensor]
"""Row of a manifest -> precomputed input of its crop."""
FLOAT32_BYTES = 4


class CropItem(TypedDict):
    """One crop.

    Keys:
        image: (3, S, S) float32 in [0, 1].
        label: () int64, 1 = fake.
        row: row of the manifest, from 0.
        inputs: precomputed inputs of the crop, by name.
    """

    image: Tensor
    label: Tensor
    row: int
    inputs: dict[str, Tensor]


class _Texts:
    """Texts in two tensors, which processes share however they are started; Arrow's would be copied where not forked.

    Args:
        column: without nulls.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        nothing = np.empty(0, np.uint8)
        self._bytes = torch.from_numpy(np.concatenate([nothing, *(bytes_of(chunk) for chunk in column.chunks)]))
        self._ends = torch.from_numpy(np.cumsum(pc.binary_length(column).to_numpy(), dtype=np.int64))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return bytes(self._bytes[start : self._ends[index]].numpy()).decode()


class CropFiles:
    """The files of a manifest's crops, whose paths worker processes share.

    Args:
        manifest: the crops.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._root, self._paths = manifest.root, _Texts(manifest.columns.look("path"))

    def __len__(self) -> int:
        return len(self._paths)

    def file_of(self, row: int) -> Path:
        """Return the file of a row's crop."""
        return self._root / self._paths[row]

    def read(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop, (H, W, 3) RGB.

        Raises:
            MediaError: the file is missing or is not an image.
            LoadingError: this process cannot open more files.
        """
        try:
            return read_image(self.file_of(row))
        except MissingInputError as error:
            raise MediaError(
                f"row {row + 1} of the manifest: {error.text}", reason="missing file", hint=error.hint
            ) from error
        except MediaError as error:
            if has_too_many_files(error.__cause__):
                raise LoadingError(
                    f"{self.file_of(row)}: too many open files", hint="raise the limit with `ulimit -n 4096`"
                ) from error
            raise MediaError(
                f"row {row + 1} of the manifest: {error.text}", reason=error.reason, hint=error.hint
            ) from error


class CropDataset(Dataset[CropItem]):
    """The rows of a manifest, one crop each.

    The randomness of a row depends only on (seed, epoch, row), not on the worker or rank that reads it or on earlier
    rows.

    Args:
        manifest: crops to read. Workers receive only their paths and labels, and share the memory.
        transform: image and generator -> (3, S, S), such as a `FaceTransform`.
        seed: seed of the run, >= 0.
        training: whether the transform gets a generator; otherwise it is deterministic.
        inputs: precomputed inputs of each row, by name.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        transform: Transform,
        seed: int,
        training: bool,
        inputs: Mapping[str, RowInput] | None = None,
    ) -> None:
        self._files = CropFiles(manifest)
        self._labels = torch.from_numpy(manifest.labels)
        self._transform = transform
        self._seed = seed
        self._training = training
        self._inputs = inputs or {}
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, >= 0. Workers have copies of the dataset: set it in each worker, or before they start."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._files)

    def file_of(self, row: int) -> Path:
        """Return the crop's file."""
        return self._files.file_of(row)

    def __getitem__(self, row: int) -> CropItem:
        """Decode one crop.

        Raises:
            MediaError: the file is missing or is not an image; a failing crop is never replaced by another crop.
            LoadingError: this process cannot open more files.
        """
        generator = None
        if self._training:
            generator = np.random.default_rng(np.random.SeedSequence((self._seed, self._epoch, row)))
        return CropItem(
            image=self._transform(self._files.read(row), generator),
            label=self._labels[row],
            row=row,
            inputs={name: read(row) for name, read in self._inputs.items()},
        )


def joined_inputs(items: Sequence[CropItem]) -> dict[str, Tensor]:
    """Return the precomputed inputs of a batch, (B, ...) each, by name."""
    names = items[0]["inputs"] if items else ()
    return {name: torch.stack([item["inputs"][name] for item in items]) for name in names}


def crop_bytes(input_size: int, *, num_inputs: int = 0) -> int:
    """Return the memory of a crop in a batch, in bytes.

    Args:
        input_size: height and width of the image, in pixels.
        num_inputs: number of precomputed inputs, which are as large as the image or smaller.
    """
    return (1 + num_inputs) * 3 * input_size**2 * FLOAT32_BYTES


def init_worker(_worker: int) -> None:
    """Make a loader's worker a good child, as its `worker_init_fn`.

    It has one thread, since the workers are the parallelism, and leaves signals to its parent: Ctrl-C and a cluster's
    SIGTERM reach all of them at once, and a run must still get its batches until it has saved itself. It ends with its
    parent, even in the middle of a read that never returns.
    """
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
