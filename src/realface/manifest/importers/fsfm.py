"""FSFM's lists: text, one `path label` a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realface.core.errors import ManifestError, TextFileError
from realface.core.files import existing
from realface.core.text_files import read_text
from realface.manifest.importers.face_paths import forensics_columns, frame_of, refuse_turned_labels, with_slashes
from realface.manifest.manifest import Manifest


class FsfmImporter:
    """The reader. The label is a line's last word, so paths may hold spaces; empty lines are no rows."""

    name = "fsfm"

    def list_missing(self, path: Path) -> list[str]:
        """Return what is missing: the suffix, or a first line that ends in a label."""
        if path.suffix.lower() != ".txt":
            return ["suffix .txt"]
        with path.open("rb") as file:
            first = file.read(4096).strip().partition(b"\n")[0].split()
        return [] if len(first) > 1 and first[-1] in {b"0", b"1"} else ["first line `path label`"]

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a list; see `Importer`."""
        try:
            text = read_text(existing(path, what="list"))
        except TextFileError as error:
            raise ManifestError(f"{path}: {error.text}", hint=error.hint) from error
        rows = [_row(line, f"{path}:{number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        manifest = Manifest.from_rows(rows, root=root or path.parent)
        refuse_turned_labels(manifest, where=str(path))
        return manifest


def _row(line: str, where: str) -> dict[str, Any]:
    words = line.strip().rsplit(maxsplit=1)
    if len(words) != 2 or words[1] not in {"0", "1"}:
        raise ManifestError(
            f"{where}: expected `path label` with a label of 0 (real) or 1 (fake), got {line.strip()!r}"
        )
    crop = with_slashes(words[0])
    return {"path": crop, "label": int(words[1]), "frame": frame_of(crop), **forensics_columns(crop)}
