"""Stores of precomputed data of crops, keyed by the SHA-256 of the crop's file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Generic, TypeVar

from realface.core.errors import ManifestError, RealfaceError, RecipeError
from realface.core.files import existing, sha256_of
from realface.core.recipe import Section, check_recipe
from realface.manifest.manifest import Manifest

HEADER_NAME = "header.json"

Entry = TypeVar("Entry")
Header = TypeVar("Header", bound=Section)


class CropStore(Generic[Entry]):
    """A folder with one entry per crop.

    Attributes:
        folder: folder of the store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries


def read_header(folder: Path, schema: type[Header], *, what: str, command: str, error: type[RealfaceError]) -> Header:
    """Return the header of a store.

    Args:
        folder: folder of the store.
        schema: type of the header.
        what: name of the stored data for messages, such as `residuals`.
        command: the command that writes such a store, for messages.
        error: type of the error for a folder that is no such store.

    Raises:
        MissingInputError: the folder does not exist.
        RealfaceError: the folder is not such a store, or its header is damaged; raised as the type `error`.
    """
    path = existing(folder, what=f"folder of {what}") / HEADER_NAME
    if not path.is_file():
        raise error(f"{folder} has no {HEADER_NAME}", hint=f"pass a folder that `{command}` wrote")
    try:
        return check_recipe(schema, json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (RecipeError, ValueError) as fault:
        raise error(f"{path} cannot be used: {fault}") from fault


def crop_keys(manifest: Manifest) -> list[str]:
    """Return the SHA-256 of each row's file: from the manifest, or computed; empty for unreadable files.

    Raises:
        ManifestError: a `sha256` in the manifest is invalid.
    """
    keys = []
    for row, recorded in enumerate(manifest.column("sha256")):
        if recorded is None:
            keys.append(_hash_of(manifest.file_of(row)))
        elif re.fullmatch("[0-9a-f]{64}", recorded.lower()):
            keys.append(recorded.lower())
        else:
            raise ManifestError(
                f"row {row + 1} of the manifest: sha256 must be 64 hexadecimal digits, got {recorded!r}"
            )
    return keys


def _hash_of(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError:
        return ""
