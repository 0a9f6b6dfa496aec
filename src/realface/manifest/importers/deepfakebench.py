"""DeepfakeBench's lists: one JSON a data set, set -> label folder -> split (-> compression) -> video -> frames.

    {"FaceForensics++": {"FF-DF": {"train": {"c23": {"071_054": {"label": "FF-DF", "frames": ["..."]}}}}}}

The frames' paths are those of whoever made the list: absolute, relative to another place, or with back slashes. Each is
looked for below the root from the set's folder name on.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from realface.core.errors import ManifestError
from realface.core.files import existing
from realface.core.labels import Label
from realface.core.split_names import canonical_split
from realface.core.text_files import decode_text
from realface.manifest.importers.face_paths import LEVELS, frame_of, identities_of, with_slashes
from realface.manifest.importers.importer import opens_with
from realface.manifest.manifest import Manifest, ManifestHeader

FORENSICS_METHODS = {"FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap", "FF-NT": "NeuralTextures"}
FORENSICS_REALS = "FF-real"
FRAMES, MASKS, LANDMARKS = "frames", "masks", "landmarks"
FEWEST_FOLDERS = 3  # <label folder>/frames/<video>: less would find another method's video
TWICE = "listed in val and in test, kept in test"

Document = dict[str, Any]


class DeepfakeBenchImporter:
    """The reader. A video is named by its label folder too, because the bare name repeats across methods."""

    name = "deepfakebench"

    def list_missing(self, path: Path) -> list[str]:
        """Return what is missing: the suffix, or a JSON object rather than a list."""
        if path.suffix.lower() != ".json":
            return ["suffix .json"]
        return [] if opens_with(path, b"{") else ["JSON object with the dataset's name"]

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a list; see `Importer`. The header's note says how many frames, masks and landmarks were found.

        A frame that is listed in `val` and in `test`, as in lists whose val is a copy of test, is kept in test.
        """
        root = (root or path.parent).absolute()
        return read_with_store(path, root=root, store=_Folder(root))


class Store(Protocol):
    """Where the files of a list may be; names are paths below the root, with slashes."""

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder."""

    def has_file(self, file: str) -> bool:
        """Whether there is such a file."""


def read_with_store(path: Path, *, root: Path, store: Store) -> Manifest:
    """Read a list as `DeepfakeBenchImporter.read` does, whose files are in `store` rather than on the disk."""
    videos = list(_videos(_parsed(existing(path, what="list")), str(path)))
    tested = {frame for video in videos if video.split == "test" for frame in video.frames}
    places: dict[str, _Places] = {}
    rows: list[dict[str, Any]] = []
    num_twice = 0
    for video in videos:
        in_set = places.setdefault(video.dataset, _Places(store, video.dataset))
        frames = [frame for frame in video.frames if video.split != "val" or frame not in tested]
        num_twice += len(video.frames) - len(frames)
        rows += _rows_of(video, in_set, frames)
    header = ManifestHeader(
        skipped={TWICE: num_twice} if num_twice else {}, note="; ".join(place.note() for place in places.values())
    )
    return Manifest.from_rows(rows, root=root, header=header)


@dataclass(frozen=True)
class _Folder:
    """The disk below a folder."""

    root: Path

    def has_folder(self, folder: str) -> bool:
        return self.root.joinpath(folder).is_dir()

    def has_file(self, file: str) -> bool:
        return os.path.isfile(os.path.join(self.root, file))  # noqa: PTH113, PTH118 (for a million frames)


@dataclass(frozen=True)
class _Video:
    """One video of a list."""

    dataset: str
    folder: str
    split: str
    compression: str | None
    name: str
    label: Label
    frames: list[str]

    def columns(self) -> Document:
        """What holds for all of its rows."""
        is_fake = self.label == Label.FAKE
        columns: Document = {
            "label": int(self.label),
            "dataset": self.dataset,
            "split": self.split,
            "compression": self.compression,
            "method": FORENSICS_METHODS.get(self.folder, self.folder) if is_fake else None,
            "video": f"{self.folder}/{self.name}",
        }
        if self.folder in FORENSICS_METHODS or self.folder == FORENSICS_REALS:
            identities = identities_of(self.name, is_fake=is_fake)
            if identities.get("original"):
                identities["original"] = f"{FORENSICS_REALS}/{identities['original']}"
            columns |= identities
        return columns


@dataclass
class _Places:
    """Where the frames of one set are.

    Attributes:
        store: in which they are looked for.
        dataset: the set's name, which should be a folder in their paths.
        folders: below the root, the folder that stands for each of the list's.
        cuts: the leading folders of the list's paths that are not the user's, as found so far.
        found: how many frames, masks and landmarks are there.
    """

    store: Store
    dataset: str
    folders: dict[str, str] = field(default_factory=dict)
    cuts: list[tuple[str, ...]] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    def place_of(self, frame: str) -> str:
        """The frame's path below the root; where its folder is not there, the path that it should have."""
        folder, _, file = frame.rpartition("/")
        if folder not in self.folders:
            self.folders[folder] = self._place_of_folder(PurePosixPath(folder).parts)
        place = f"{self.folders[folder]}/{file}".removeprefix("./")
        self.found["listed"] += 1
        self.found[FRAMES] += self.store.has_file(place)
        return place

    def beside(self, place: str, kind: str) -> str | None:
        """The mask's or landmarks' path, which differs in one folder (and the landmarks' suffix); None where absent."""
        *folders, file = place.split("/")
        if FRAMES not in folders:
            return None
        folders[len(folders) - 1 - folders[::-1].index(FRAMES)] = kind
        if kind == LANDMARKS:
            file = f"{file.rpartition('.')[0] or file}.npy"
        other = "/".join([*folders, file])
        if not self.store.has_file(other):
            return None
        self.found[kind] += 1
        return other

    def note(self) -> str:
        """How many were found."""
        return (
            f"{self.dataset}: {self.found[FRAMES]} of {self.found['listed']} listed frames are there, with "
            f"{self.found[MASKS]} masks of fakes and {self.found[LANDMARKS]} files of landmarks"
        )

    def _place_of_folder(self, parts: tuple[str, ...]) -> str:
        starts = list(self._starts(parts))
        start = next((start for start in starts if self.store.has_folder(str(PurePosixPath(*parts[start:])))), None)
        if start is None:
            start = starts[0]
        elif parts[:start] not in self.cuts:
            self.cuts.append(parts[:start])
        return str(PurePosixPath(*parts[start:]))

    def _starts(self, parts: tuple[str, ...]) -> Iterator[int]:
        """How many leading folders may have to go, the likeliest first, which also stands for what is nowhere."""
        yield from (len(cut) for cut in self.cuts if parts[: len(cut)] == cut)
        lowered = [part.lower() for part in parts]
        last = len(parts) - FEWEST_FOLDERS
        if self.dataset.lower() in lowered:
            last = lowered.index(self.dataset.lower())
            yield from (last, last + 1)  # + 1: the root is the set's own folder
        yield from range(1 if parts[:1] == ("/",) else 0, last + 1)  # a set can lie inside another's folder
        yield 0


def _rows_of(video: _Video, places: _Places, frames: Iterable[str]) -> Iterator[Document]:
    columns = video.columns()
    for frame in frames:
        place = places.place_of(frame)
        mask = places.beside(place, MASKS) if video.label == Label.FAKE else None
        places.beside(place, LANDMARKS)
        yield {"path": place, "frame": frame_of(place), "mask": mask, **columns}


def _videos(document: Document, where: str) -> Iterator[_Video]:
    for dataset, folders in document.items():
        for folder, splits in _object(folders, f"{where}: {dataset}").items():
            for split, content in _object(splits, f"{where}: {dataset}/{folder}").items():
                place = f"{where}: {dataset}/{folder}/{split}"
                for name, entry in _object(content, place).items():
                    if FRAMES in _object(entry, f"{place}/{name}"):
                        yield _video(entry, f"{place}/{name}", (dataset, folder, split, None, name))
                        continue
                    level = LEVELS.get(name, name)
                    for inner, video in entry.items():
                        inner_place = f"{place}/{name}/{inner}"
                        yield _video(_object(video, inner_place), inner_place, (dataset, folder, split, level, inner))


def _video(entry: Document, where: str, names: tuple[str, str, str, str | None, str]) -> _Video:
    frames = entry.get(FRAMES)
    if not isinstance(frames, list) or not all(isinstance(frame, str) and frame for frame in frames):
        raise ManifestError(f"{where}: expected `frames`, a list of paths")
    dataset, folder, split, level, name = names
    label, said = _label_of(folder), _label_of(str(entry.get("label", folder)))
    if label != said:
        raise ManifestError(
            f"{where}: the folder {folder} is {label.word}, but the video's label {entry['label']} is {said.word}",
            hint="mend the one that is wrong",
        )
    return _Video(
        dataset, folder, canonical_split(split), level, name, label, [with_slashes(frame) for frame in frames]
    )


def _label_of(name: str) -> Label:
    return Label.REAL if name.lower().endswith("real") else Label.FAKE


def _object(value: Any, where: str) -> Document:
    if not isinstance(value, dict):
        raise ManifestError(f"{where}: expected an object, got {type(value).__name__}")
    return value


def _parsed(path: Path) -> Document:
    try:
        document = json.loads(decode_text(path.read_bytes()))
    except ValueError as error:
        raise ManifestError(f"{path}: not JSON ({error})") from error
    return _object(document, str(path))
