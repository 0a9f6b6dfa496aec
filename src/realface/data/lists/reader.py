"""What a reader of another project's list must be able to do."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path
from typing import Protocol

from realface.manifest.manifest import Manifest


class ListReader(Protocol):
    """A reader of one form of list. It executes nothing and never guesses a label.

    The crops that a list names were made elsewhere, so its manifest has the crop spec `external`.
    """

    name: str

    def recognise(self, path: Path) -> list[str]:
        """What the file `path` lacks to be such a list; empty when it is one. Quick: suffix and first bytes alone."""

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read the list.

        Args:
            path: the list.
            root: what its paths are relative to; by default the list's folder.

        Raises:
            MissingInputError: no such file.
            ManifestError: not such a list, or it contradicts itself; the text names the row.
        """


def opens_with(path: Path, first: bytes) -> bool:
    """Whether the first byte that is no white space, behind a byte order mark, is `first`."""
    with path.open("rb") as file:
        return file.read(1024).removeprefix(BOM_UTF8).lstrip().startswith(first)
