"""Which lists of other projects are known, and which one a file is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from realface.core.errors import ManifestError
from realface.core.files import existing
from realface.core.text_files import is_utf16
from realface.data.lists.deepfakebench import DeepfakeBenchList
from realface.data.lists.fsfm import FsfmList
from realface.data.lists.reader import ListReader
from realface.data.lists.recce import RecceList
from realface.data.lists.rffr import RffrList
from realface.manifest.formats import FORMATS, header_beside
from realface.manifest.manifest import Manifest

LISTS: Mapping[str, ListReader] = {
    "rffr": RffrList(),
    "recce": RecceList(),
    "fsfm": FsfmList(),
    "deepfakebench": DeepfakeBenchList(),
}
ENTRY_POINTS = "realface.lists"
"""Group under which another package adds readers: an entry point `name = package.module:reader_object`."""


def known_lists() -> dict[str, ListReader]:
    """Our own readers and those of installed packages, by name; ours win."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)} | dict(LISTS)


def choose_list(path: Path, name: str | None = None) -> ListReader:
    """The reader called `name`, or the one that recognises `path`.

    A named reader is not asked whether it recognises the file: its errors say more when it reads.

    Raises:
        MissingInputError: no such file.
        ManifestError: a folder, an unknown name, or a file that none or several recognise.
    """
    readers = known_lists()
    if name is not None and name not in readers:
        close = difflib.get_close_matches(name, readers, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(readers)}"
        raise ManifestError(f"no list is called {name!r}; {hint}")
    if existing(path, what="list").is_dir():
        raise ManifestError(f"{path} is a folder", hint="give the list's file, or prepare a data set's folder")
    return _recognised(path, readers) if name is None else readers[name]


def read_list(path: Path, *, name: str | None = None, root: Path | None = None) -> Manifest:
    """Read another project's list, as a manifest of crops made elsewhere, or a manifest of ours.

    Args:
        path: the file.
        name: a list's form, one of `known_lists`; by default what the file is recognised as.
        root: what its paths are relative to; by default what a manifest says, or the list's folder.

    Raises:
        MissingInputError: no such file.
        ManifestError: as `choose_list`, or not what it was taken for.
    """
    if name is None and _is_manifest(path):
        return Manifest.read(path, root=root)
    return choose_list(path, name).read(path, root=root)


def _is_manifest(path: Path) -> bool:
    """By the suffix; a JSON file without a header beside it is a list."""
    suffix = path.suffix.lower()
    return suffix in FORMATS and (suffix != ".json" or header_beside(path).exists())


def _recognised(path: Path, readers: Mapping[str, ListReader]) -> ListReader:
    lacks = {name: reader.recognise(path) for name, reader in readers.items()}
    fitting = [name for name, lacking in lacks.items() if not lacking]
    if len(fitting) > 1:
        raise ManifestError(f"{path} fits several lists: {', '.join(fitting)}", hint="name one with --from")
    if not fitting:
        with path.open("rb") as file:
            if is_utf16(file.read(4096)):
                raise ManifestError(f"{path}: UTF-16 text", hint="save it as UTF-8")
        reasons = "; ".join(f"{name} lacks {' and '.join(lacking)}" for name, lacking in lacks.items())
        raise ManifestError(f"{path} is neither a manifest ({', '.join(FORMATS)}) nor a list that is known: {reasons}")
    return readers[fitting[0]]
