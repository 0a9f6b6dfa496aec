"""The known datasets, and detecting which one a folder contains."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from realface.core.errors import DatasetError, RealfaceError, UnreadableFolderError
from realface.core.files import existing
from realface.datasets.celeb_df import CelebDfReader
from realface.datasets.deeperforensics import DeeperForensicsReader
from realface.datasets.df40 import Df40Reader
from realface.datasets.dfd import DfdReader
from realface.datasets.dfdc import DfdcReader
from realface.datasets.dfdc_preview import DfdcPreviewReader
from realface.datasets.faceforensics import FaceForensicsReader
from realface.datasets.ffiw import FfiwReader
from realface.datasets.forgerynet import ForgeryNetReader
from realface.datasets.left_out import count_left_out
from realface.datasets.listing import subfolders
from realface.datasets.plain import PlainReader
from realface.datasets.reader import DatasetReader, Inventory
from realface.datasets.wilddeepfake import WildDeepfakeReader

_OURS: tuple[DatasetReader, ...] = (
    PlainReader(),
    FaceForensicsReader(),
    CelebDfReader(),
    DfdReader(),
    DfdcReader(),
    DfdcPreviewReader(),
    ForgeryNetReader(),
    DeeperForensicsReader(),
    FfiwReader(),
    WildDeepfakeReader(),
    Df40Reader(),
)
READERS: Mapping[str, DatasetReader] = {reader.name: reader for reader in _OURS}
"""Dataset's name, as in `--dataset NAME` -> its reader."""
ENTRY_POINTS = "realface.datasets"
"""Group under which another package adds datasets: an entry point `name = package.module:reader_object`."""

ENTRIES_TRIED = 100
"""Number of subfolders tried if a folder is no dataset, because the dataset may be one folder further down."""


def known_readers() -> dict[str, DatasetReader]:
    """Return the built-in readers and those of installed packages, by name; a built-in name wins.

    Raises:
        DatasetError: a package's reader cannot be imported.
    """
    return {point.name: _loaded(point) for point in entry_points(group=ENTRY_POINTS)} | dict(READERS)


def _loaded(point: EntryPoint) -> DatasetReader:
    try:
        reader: DatasetReader = point.load()
    except (ImportError, AttributeError) as error:
        raise DatasetError(
            f"the dataset {point.name} of another package, {point.value}, cannot be loaded ({error})",
            hint="update or remove that package",
        ) from error
    return reader


def scan_dataset(root: Path, dataset: str | DatasetReader | None = None, *, without: Path | None = None) -> Inventory:
    """Find every file of a dataset, and count the files that its reader does not use.

    Args:
        root: the dataset's folder.
        dataset: the dataset's name, or its reader; detected if None.
        without: a folder below `root` that is not part of the dataset, such as the output folder.

    Raises:
        MissingInputError: no such folder.
        DatasetError: as `choose_reader`, or the folder contradicts itself.
        UnreadableFolderError: a folder or a list cannot be read.
    """
    try:
        reader = choose_reader(root, dataset) if dataset is None or isinstance(dataset, str) else dataset
        inventory = reader.scan(root)
        return replace(inventory, left_out=count_left_out(inventory, without=without))
    except PermissionError as error:
        if isinstance(error, RealfaceError):
            raise
        raise UnreadableFolderError(
            f"cannot read {error.filename} ({error.strerror})", hint="change its permissions, or those of its folder"
        ) from error


def choose_reader(root: Path, name: str | None = None) -> DatasetReader:
    """Return the reader called `name`, or detect which dataset the folder contains.

    Raises:
        MissingInputError: no such folder.
        DatasetError: `root` is a file, not that dataset, no known dataset, or matches several; or an unknown name.
    """
    if not existing(root, what="folder").is_dir():
        raise DatasetError(f"{root} is a file", hint="give the dataset's folder")
    readers = READERS if name in READERS else known_readers()
    if name is None:
        return _detect(root, readers)
    if name not in readers:
        close = difflib.get_close_matches(name, readers, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(readers)}"
        raise DatasetError(f"unknown dataset {name!r}", hint=hint)
    if missing := readers[name].list_missing(root):
        raise DatasetError(f"{root} is not a {name} dataset: missing {' and '.join(missing)}")
    return readers[name]


def matching_datasets(root: Path) -> list[str]:
    """Return the names of all known datasets that a folder may be.

    Raises:
        DatasetError: a package's reader cannot be imported.
    """
    return _matching(root, known_readers())


def _detect(root: Path, readers: Mapping[str, DatasetReader]) -> DatasetReader:
    matching = _matching(root, readers)
    if len(matching) > 1:
        raise DatasetError(f"{root} matches several datasets: {', '.join(matching)}", hint="choose one with --dataset")
    if not matching:
        lines = [f"{root} is not a known dataset{_near(root, readers)}:"]
        lines += [f"{name}: missing {' and '.join(reader.list_missing(root))}" for name, reader in readers.items()]
        raise DatasetError("\n  ".join(lines))
    return readers[matching[0]]


def _matching(root: Path, readers: Mapping[str, DatasetReader]) -> list[str]:
    return [name for name, reader in readers.items() if not reader.list_missing(root)]


def _near(root: Path, readers: Mapping[str, DatasetReader]) -> str:
    """Name the folder below or above `root` that was probably meant; empty if none of them is a known dataset."""
    for place in (*subfolders(root)[:ENTRIES_TRIED], root.resolve().parent):
        with suppress(PermissionError):  # it is only a hint
            if os.access(place, os.R_OK | os.X_OK) and (matching := _matching(place, readers)):
                return f", but {place} is one ({' and '.join(matching)})"
    return ""
