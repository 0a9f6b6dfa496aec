"""The known list formats of other projects, and detecting the format of a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

from realface.core.errors import ManifestError
from realface.core.files import existing
from realface.core.text_files import is_utf16
from realface.manifest.formats import FORMATS, header_beside
from realface.manifest.importers.deepfakebench import DeepfakeBenchImporter
from realface.manifest.importers.fsfm import FsfmImporter
from realface.manifest.importers.importer import Importer
from realface.manifest.importers.recce import RecceImporter
from realface.manifest.importers.rffr import RffrImporter
from realface.manifest.manifest import Manifest

IMPORTERS: Mapping[str, Importer] = {
    "rffr": RffrImporter(),
    "recce": RecceImporter(),
    "fsfm": FsfmImporter(),
    "deepfakebench": DeepfakeBenchImporter(),
}
ENTRY_POINTS = "realface.importers"
"""Group under which another package adds importers: an entry point `name = package.module:importer_object`."""


def known_importers() -> dict[str, Importer]:
    """Return the built-in importers and those of installed packages, by name; a built-in name wins."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)} | dict(IMPORTERS)


def choose_importer(path: Path, name: str | None = None) -> Importer:
    """Return the importer called `name`, or detect the format of `path`.

    For a named format nothing is detected, because the importer's own errors are more precise.

    Raises:
        MissingInputError: no such file.
        ManifestError: `path` is a folder, in no known format, or matches several; or an unknown name.
    """
    importers = known_importers()
    if name is not None and name not in importers:
        close = difflib.get_close_matches(name, importers, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(importers)}"
        raise ManifestError(f"unknown list format {name!r}", hint=hint)
    if existing(path, what="list").is_dir():
        raise ManifestError(
            f"{path} is a folder", hint="give the list's file, or prepare the folder with `realface prepare`"
        )
    return _detect(path, importers) if name is None else importers[name]


def import_list(path: Path, *, name: str | None = None, root: Path | None = None) -> Manifest:
    """Read a manifest, or another project's list as a manifest of crops made elsewhere.

    Args:
        path: the file.
        name: the list's format, one of `known_importers`; detected if None.
        root: folder that the paths are relative to. Default: the manifest's root, or the list's folder.

    Raises:
        MissingInputError: no such file.
        ManifestError: as `choose_importer`, or the file is not in that format.
    """
    if name is None and _is_manifest(path):
        return Manifest.read(path, root=root)
    return choose_importer(path, name).read(path, root=root)


def _is_manifest(path: Path) -> bool:
    """Decide by the suffix; a JSON file without a header beside it is a list."""
    suffix = path.suffix.lower()
    return suffix in FORMATS and (suffix != ".json" or header_beside(path).exists())


def _detect(path: Path, importers: Mapping[str, Importer]) -> Importer:
    missing = {name: importer.list_missing(path) for name, importer in importers.items()}
    matching = [name for name, parts in missing.items() if not parts]
    if len(matching) > 1:
        raise ManifestError(
            f"{path} matches several list formats: {', '.join(matching)}", hint="choose one with --from"
        )
    if not matching:
        with path.open("rb") as file:
            if is_utf16(file.read(4096)):
                raise ManifestError(f"{path}: UTF-16 text", hint="save it as UTF-8")
        reasons = "; ".join(f"{name}: missing {' and '.join(parts)}" for name, parts in missing.items())
        raise ManifestError(f"{path} is neither a manifest ({', '.join(FORMATS)}) nor a known list: {reasons}")
    return importers[matching[0]]
