"""A folder of somebody's own real photos and videos, without labels: every file shows real faces.

The folder has no fixed structure, so identities follow from its sub-folders. Guessing wrongly would put one identity
into training and validation, so the guess is told and can be replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.core.split_names import usual_split
from realface.datasets.listing import names_without_suffix, subfolders, walk_shown
from realface.datasets.plain import PlainReader
from realface.datasets.reader import Inventory, SourceVideo
from realface.datasets.registry import matching_datasets
from realface.media.discovery import kind_in_folder, natural_order

Identities = Literal["auto", "folders", "files"]
"""What counts as one identity: `folders`: all files of the innermost folder; `files`: each file; `auto`: guessed."""

FEWEST_PEOPLE = 10
"""Sub-folders side by side from which `auto` takes each for one identity; fewer are taken for sources."""


@dataclass
class RealFolderReader:
    """Real photos and videos in any folders.

    A source is a first-level sub-folder. It is the folder itself for files at its top, and where its sub-folders are
    people.

    Attributes:
        identities: what counts as one identity.
    """

    identities: Identities = "auto"
    name: str = "real faces"

    def list_missing(self, root: Path) -> list[str]:  # noqa: ARG002 (the protocol's)
        """Return nothing: any folder will do."""
        return []

    def scan(self, root: Path) -> Inventory:
        """Find every photo and video.

        Raises:
            DatasetError: the folder has no photo and no video, is a data set with fakes, or has a folder named after
                them.
            UnreadableFolderError: a folder cannot be listed.
        """
        _require_no_fakes(root)
        files = [(place / name).relative_to(root) for place, _, names in walk_shown(root) for name in names]
        kinds = {path: kind for path in files if (kind := kind_in_folder(root / path)) is not None}
        if not kinds:
            raise DatasetError(f"{root} contains no photo and no video", hint="give a folder with real faces")
        media = sorted(kinds, key=natural_order)
        people = self._people(media)
        names = names_without_suffix(media)
        items = [_item(root, path, names[path], people) for path in media]
        counts = Counter("photos" if kinds[path] == "image" else "videos" for path in media)
        return Inventory(root, self.name, items, dict(counts), notes=self._notes(media, people))

    def _people(self, media: Iterable[Path]) -> frozenset[Path]:
        """The folders that are one identity each."""
        folders = {path.parent for path in media if path.parent != Path()}
        if self.identities == "files":
            return frozenset()
        if self.identities == "folders":
            return frozenset(folders)
        num_side_by_side = Counter(folder.parent for folder in folders)
        return frozenset(folder for folder in folders if num_side_by_side[folder.parent] >= FEWEST_PEOPLE)

    def _notes(self, media: list[Path], people: frozenset[Path]) -> list[str]:
        """What was guessed, with the setting that says otherwise."""
        folders = dict.fromkeys(path.parent for path in media if path.parent != Path())
        if self.identities != "auto" or not folders:
            return []
        notes = []
        if people:
            first = next(folder for folder in folders if folder in people)
            notes.append(
                f"{len(people)} sub-folders, such as {first.as_posix()}, count as one identity each; if they show "
                "different people, set data.identities=files"
            )
        if others := [folder for folder in folders if folder not in people]:
            notes.append(
                f"each file in {_listed(others)} counts as another identity; if each folder shows one identity, "
                "set data.identities=folders"
            )
        return notes


def _require_no_fakes(root: Path) -> None:
    """Refuse a data set with fakes, all of which would be taken for real."""
    if data_sets := [name for name in matching_datasets(root) if name != PlainReader.name]:
        raise DatasetError(
            f"{root} is a {data_sets[0]} data set, which contains fakes, but every file here must be real",
            hint="give the folder of its real faces, or prepare it with `realface prepare` and give the manifest",
        )
    tops = [root, *(folder for folder in subfolders(root) if usual_split(folder.name))]
    for top in tops:
        folders = {folder.name.lower(): folder for folder in subfolders(top)}
        fake = next((folders[name] for name in ("fake", "fakes") if name in folders), None)
        if fake is None and folders.keys() == {"0", "1"}:  # with further numbers they are rather people
            fake = folders["1"]
        if fake is not None:
            real = next((folders[name] for name in ("real", "0") if name in folders), None)
            advice = f"give {real}" if real else "move it elsewhere, or give the folder of the real faces"
            raise DatasetError(f"{fake} is named like a folder of fakes, but every file here must be real", hint=advice)


def _item(root: Path, path: Path, name: str, people: Iterable[Path]) -> SourceVideo:
    is_identity = path.parent in people
    above = path.parent.parent if is_identity else path.parent  # folders that say more than who it is
    return SourceVideo(
        source=root / path,
        label=Label.REAL,
        dataset=above.parts[0] if above.parts else root.resolve().name,
        video=name,
        identities=(path.parent.as_posix() if is_identity else name,),
    )


def _listed(folders: list[Path]) -> str:
    shown = ", ".join(folder.as_posix() for folder in folders[:3])
    return shown if len(folders) <= 3 else f"{shown} and {len(folders) - 3} more folders"
