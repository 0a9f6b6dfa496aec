"""The interface of an importer: from another project's list to a manifest."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path
from typing import Protocol

from realface.manifest.manifest import Manifest


class Importer(Protocol):
    """The importer of one list format. It executes nothing and never guesses a label.

    The crops that a list names were made elsewhere, so its manifest has the crop spec `unknown`.
    """

    name: str

    def list_missing(self, path: Path) -> list[str]:
        """Return what is missing in the file `path` for this format; empty if nothing is. Quick."""

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read the list.

        Args:
            path: the list.
            root: folder that its paths are relative to. Default: the list's folder.

        Raises:
            MissingInputError: no such file.
            ManifestError: not in this format, or it contradicts itself; the text names the row.
        """


def opens_with(path: Path, first: bytes) -> bool:
    """Return whether the text starts with `first`, after a byte order mark and white space."""
    with path.open("rb") as file:
        return file.read(1024).removeprefix(BOM_UTF8).lstrip().startswith(first)
