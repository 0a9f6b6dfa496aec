"""RFFR's lists: JSON `[{"path": "..", "label": 0}, ..]` of cropped faces."""

from __future__ import annotations

from pathlib import Path

from realface.core.errors import ManifestError
from realface.core.files import write_json
from realface.manifest.formats import header_beside
from realface.manifest.importers.face_paths import refuse_turned_labels
from realface.manifest.importers.importer import opens_with
from realface.manifest.manifest import Manifest


class RffrImporter:
    """The reader, as `registry` knows it."""

    name = "rffr"

    def list_missing(self, path: Path) -> list[str]:
        """Return what is missing: the suffix, or a JSON list."""
        if path.suffix.lower() != ".json":
            return ["suffix .json"]
        return [] if opens_with(path, b"[") else ["JSON list of rows"]

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a list; see `Importer`."""
        return read_rffr_list(path, root=root)


def read_rffr_list(
    path: Path, *, root: Path | None = None, dataset: str | None = None, split: str | None = None
) -> Manifest:
    """Read a list, of whose crops nothing is known but path and label.

    Args:
        path: the list.
        root: what its paths are relative to; by default the list's folder. RFFR's training lists are relative to a base
            folder, its test lists to where RFFR was run or absolute.
        dataset: name to give to the rows that have none.
        split: split to give to the rows that have none.

    Raises:
        MissingInputError: no such file.
        ManifestError: not such a list, or a label that the path contradicts; the text names the row.
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        raise ManifestError(f"{path}: RFFR's lists end in .json, got {path.suffix or 'no suffix'}")
    manifest = Manifest.read(path, root=root or path.parent)
    refuse_turned_labels(manifest, where=str(path))
    return manifest.filled(dataset=dataset, split=split)


def write_rffr_list(manifest: Manifest, path: Path, *, absolute: bool = False) -> None:
    """Write nothing but paths and labels, as RFFR's own code expects.

    Args:
        manifest: the crops.
        path: the list to write; an older one is replaced.
        absolute: write whole paths, which RFFR needs in test lists; otherwise they are relative to the manifest's root.
    """
    paths = [manifest.file_of(row).as_posix() for row in range(len(manifest))] if absolute else manifest.column("path")
    rows = zip(paths, manifest.column("label"), strict=True)
    header_beside(path).unlink(missing_ok=True)  # of an older manifest of that name, which said other things
    write_json(path, [{"path": file, "label": label} for file, label in rows])
