"""Precomputed residuals on disk, one for each crop.

A store is a folder: `header.json` describes the residuals; each shard is a pair of files, the residuals of some crops,
`shard-00000.npy`, and the SHA-256 of each crop, `shard-00000.txt`. The text is written last, and a shard without it is
ignored, so a killed process leaves complete shards only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from realface.core.errors import OutputExistsError, ResidualStoreError
from realface.core.files import write_json, write_text, written_atomically
from realface.core.lock import locked
from realface.core.recipe import Section
from realface.data.crop_store import HEADER_NAME, CropStore, read_header

FORMAT: Literal[1] = 1
SHOWN_DIGITS = 12
"""Digits of an MAE's SHA-256 in messages."""


class ResidualKind(Section):
    """Settings that determine a residual, apart from the crop."""

    mae: str = Field(description="SHA-256 of the MAE's weights, as `models.rffr.mae.fingerprint` takes it")
    input_size: int = Field(gt=0, description="height and width to which crops were resized, in pixels")
    interpolation: Literal["bilinear"] = Field(
        "bilinear", description="method of resizing: OpenCV's bilinear, without antialiasing"
    )
    mode: Literal["exact", "fast"] = Field(description="whether each block was inpainted in a separate pass")
    outer_ring: bool = Field(description="whether the outermost patches were inpainted too")
    amplification: float = Field(gt=0, description="factor of the difference")

    def describe(self) -> str:
        """Return one line for messages."""
        ring = "with" if self.outer_ring else "without"
        return (
            f"MAE {self.mae[:SHOWN_DIGITS]}, {self.input_size} px, {self.mode}, {ring} the outer ring, "
            f"amplification {self.amplification:g}"
        )


class ResidualHeader(ResidualKind):
    """Content of `header.json`."""

    format: Literal[1] = Field(FORMAT, description="version of the store's format")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="in which the MAE computed")
    dtype: Literal["float32", "float16"] = Field("float32", description="number format of the stored residuals")
    covered: tuple[int, int] = Field(
        description="first stored row and column of pixels, and the first after the last; pixels outside are 0"
    )

    @property
    def kind(self) -> ResidualKind:
        """Settings of the residuals, without the details of computation and storage."""
        return ResidualKind.model_validate(self.model_dump(include=set(ResidualKind.model_fields)))

    def describe(self) -> str:
        """Return one line for messages."""
        return f"{super().describe()}, {self.precision}, {self.dtype}"


@dataclass(frozen=True)
class StoredResiduals:
    """The residuals of a manifest's rows, read on demand.

    Workers share the data through the operating system's page cache.

    Attributes:
        folder: folder of the store.
        header: header of the store.
        places: (rows, 2) int64: shard, and position in the shard.
    """

    folder: Path
    header: ResidualHeader
    places: NDArray[np.int64]

    def __call__(self, row: int) -> Tensor:
        """Return the residual (3, S, S) of a row, float32 in [-1, 1].

        Raises:
            ResidualStoreError: its shard has vanished since the store was opened.
        """
        shard, place = self.places[row].tolist()
        # opened each time: a map that stays open takes one of the few files that a process may have open
        file = _shard_file(self.folder, shard)
        try:
            stored = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise ResidualStoreError(
                f"{file} has disappeared since the start of the run",
                hint=(
                    f"put it back, or compute its crops again: remove {file.stem}.txt, and give the same `realface "
                    "residuals` again; then resume"
                ),
            ) from error
        size, (start, end) = self.header.input_size, self.header.covered
        residual = torch.zeros(3, size, size)
        residual[:, start:end, start:end] = torch.from_numpy(stored[place].astype(np.float32))
        return residual


class ResidualStore(CropStore[tuple[int, int]]):
    """An open store.

    Attributes:
        folder: folder of the store.
        header: header of the store.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.header = _read_header(folder)
        self._next_shard = 0
        for path in sorted(folder.glob("shard-*.txt")):
            number = int(path.stem.removeprefix("shard-"))
            keys = path.read_text(encoding="utf-8").split()
            self._require_whole(number, keys)
            self._entries |= {key: (number, place) for place, key in enumerate(keys)}
            self._next_shard = max(self._next_shard, number + 1)

    def rows(self, keys: Sequence[str]) -> StoredResiduals:
        """Return the residuals of some crops, all of them in the store.

        Args:
            keys: SHA-256 of each crop's file.
        """
        places = np.array([self._entries[key] for key in keys], np.int64)
        return StoredResiduals(self.folder, self.header, places.reshape(-1, 2))

    def add(self, keys: Sequence[str], residuals: Tensor) -> None:
        """Write a shard.

        Args:
            keys: SHA-256 of each crop's file.
            residuals: (crops, 3, S, S), one residual per key.
        """
        number = self._next_shard
        start, end = self.header.covered
        stored = residuals[:, :, start:end, start:end].cpu().numpy().astype(self.header.dtype)
        file = _shard_file(self.folder, number)
        with written_atomically(file) as partial:
            np.save(partial, stored)
        write_text(file.with_suffix(".txt"), "".join(f"{key}\n" for key in keys))
        self._entries |= {key: (number, place) for place, key in enumerate(keys)}
        self._next_shard += 1

    def _require_whole(self, number: int, keys: Sequence[str]) -> None:
        file, side = _shard_file(self.folder, number), self.header.covered[1] - self.header.covered[0]
        try:
            stored = np.load(file, mmap_mode="r", allow_pickle=False)
            is_whole = stored.shape == (len(keys), 3, side, side) and stored.dtype == self.header.dtype
        except (OSError, ValueError, EOFError):
            is_whole = False
        if not is_whole:
            raise ResidualStoreError(
                f"{file} is missing, damaged, or not of this store",
                hint=f"remove it and {file.stem}.txt, and the same `realface residuals` computes its crops again",
            )


@contextmanager
def filled_store(folder: Path, header: ResidualHeader) -> Iterator[ResidualStore]:
    """Create a store, or continue a store with the same header, locked against other processes.

    Raises:
        OutputExistsError: the folder contains other files, or another process is writing to it.
        ResidualStoreError: the store contains residuals of another kind, or is damaged.
    """
    _require_place_for(folder, header)  # before a lock file is written to an unrelated folder
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _require_place_for(folder, header)
        for partial in folder.glob(".*.partial*"):  # of a killed process
            partial.unlink()
        if not (folder / HEADER_NAME).exists():
            write_json(folder / HEADER_NAME, header.model_dump(mode="json"))
        yield ResidualStore(folder)


def _shard_file(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05}.npy"


def _read_header(folder: Path) -> ResidualHeader:
    return read_header(folder, ResidualHeader, what="residuals", command="realface residuals", error=ResidualStoreError)


def _require_place_for(folder: Path, header: ResidualHeader) -> None:
    if (folder / HEADER_NAME).exists():
        found = _read_header(folder)
        if found != header:
            raise ResidualStoreError(
                f"{folder} contains residuals of [{found.describe()}], "
                f"but the new residuals would be of [{header.describe()}]",
                hint="give another folder",
            )
    elif folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise OutputExistsError(f"{folder} contains files that are not residuals", hint="give another folder")
