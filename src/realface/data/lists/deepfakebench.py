"""DeepfakeBench's lists: one JSON a data set, set -> label folder -> split (-> compression) -> video -> frames.

    {"FaceForensics++": {"FF-DF": {"train": {"c23": {"071_054": {"label": "FF-DF", "frames": ["..."]}}}}}}

The frames' paths are those of whoever made the list: absolute, relative to another place, or with back slashes. Each is
looked for below the root from the set's folder name on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from realface.core.errors import ManifestError
from realface.core.files import existing
from realface.core.labels import Label
from realface.data.lists.face_paths import LEVELS, frame_of, persons_of, with_slashes
from realface.data.lists.reader import opens_with
from realface.data.manifest import Manifest, ManifestHeader

FORENSICS_METHODS = {"FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap", "FF-NT": "NeuralTextures"}
FORENSICS_REALS = "FF-real"
FRAMES, MASKS, LANDMARKS = "frames", "masks", "landmarks"
FEWEST_PARTS = 4  # <label folder>/frames/<video>/<frame>: less would find the frame of another method's video
TWICE = "listed in val and in test, kept in test"

Document = dict[str, Any]


class DeepfakeBenchList:
    """The reader. A video is named by its label folder too, because the bare name repeats across methods."""

    name = "deepfakebench"

    def recognise(self, path: Path) -> list[str]:
        """What lacks: the suffix, or a JSON object rather than a list."""
        if path.suffix.lower() != ".json":
            return ["the suffix .json"]
        return [] if opens_with(path, b"{") else ["a JSON object with the data set's name"]

    def read(self, path: Path, *, root: Path | None = None) -> Manifest:
        """Read a list; see `ListReader`. The header's note says how many frames, masks and landmarks were found.

        A frame that is listed in `val` and in `test`, as in lists whose val is a copy of test, is kept in test.
        """
        videos = list(_videos(_parsed(existing(path, what="list")), str(path)))
        root = (root or path.parent).absolute()
        tested = {frame for video in videos if video.split == "test" for frame in video.frames}
        places: dict[str, _Places] = {}
        rows: list[dict[str, Any]] = []
        num_twice = 0
        for video in videos:
            in_set = places.setdefault(video.dataset, _Places(root, video.dataset))
            frames = [frame for frame in video.frames if video.split != "val" or frame not in tested]
            num_twice += len(video.frames) - len(frames)
            rows += [_row(video, in_set, frame) for frame in frames]
        header = ManifestHeader(
            losses={TWICE: num_twice} if num_twice else {}, note="; ".join(place.note() for place in places.values())
        )
        return Manifest.from_rows(rows, root=root, header=header)


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
            persons = persons_of(self.name, is_fake=is_fake)
            if persons.get("original"):
                persons["original"] = f"{FORENSICS_REALS}/{persons['original']}"
            columns |= persons
        return columns


@dataclass
class _Places:
    """Where the frames of one set are, found frame by frame.

    Attributes:
        root: the folder below which they are looked for.
        dataset: the set's name, which should be a folder in their paths.
        cuts: the leading folders of paths that were not the user's, as found so far.
        found: how many frames, masks and landmarks are there.
    """

    root: Path
    dataset: str
    cuts: list[tuple[str, ...]] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("all", FRAMES, MASKS, LANDMARKS), 0))

    def place_of(self, frame: str) -> str:
        """The frame's path below the root; where it is not there, the path that it should have."""
        parts = PurePosixPath(frame).parts
        candidates = list(self._candidates(parts))
        place = next((one for one in candidates if (self.root / one).is_file()), None)
        self.found["all"] += 1
        if place is None:
            return candidates[0]
        self.found[FRAMES] += 1
        cut = parts[: len(parts) - len(PurePosixPath(place).parts)]
        if cut not in self.cuts:
            self.cuts.append(cut)
        return place

    def beside(self, place: str, kind: str) -> str | None:
        """The mask's or landmarks' path, which differs in one folder (and the landmarks' suffix); None where absent."""
        parts = list(PurePosixPath(place).parts)
        if FRAMES not in parts[:-1]:
            return None
        parts[len(parts) - 1 - parts[::-1].index(FRAMES)] = kind
        other = PurePosixPath(*parts)
        if kind == LANDMARKS:
            other = other.with_suffix(".npy")
        if not (self.root / other).is_file():
            return None
        self.found[kind] += 1
        return other.as_posix()

    def note(self) -> str:
        """How many were found."""
        found = self.found
        return (
            f"{self.dataset}: {found[FRAMES]} of {found['all']} listed frames are there, with {found[MASKS]} masks "
            f"of fakes and {found[LANDMARKS]} files of landmarks"
        )

    def _candidates(self, parts: tuple[str, ...]) -> Iterator[str]:
        """Paths below the root to look for, the likeliest first, which also stands for a frame that is nowhere."""
        starts = [len(cut) for cut in self.cuts if parts[: len(cut)] == cut]
        first = 1 if parts[0] == "/" else 0
        last = len(parts) - FEWEST_PARTS
        lowered = [part.lower() for part in parts]
        if self.dataset.lower() in lowered:
            last = lowered.index(self.dataset.lower())
            starts += [last, last + 1]  # + 1: the root is the set's own folder
        starts += [*range(first, last + 1), 0]  # a set can lie inside another's folder; 0: the path as it is
        for start in dict.fromkeys(starts):
            yield str(PurePosixPath(*parts[start:]))


def _row(video: _Video, places: _Places, frame: str) -> Document:
    place = places.place_of(frame)
    mask = places.beside(place, MASKS) if video.label == Label.FAKE else None
    places.beside(place, LANDMARKS)
    return {"path": place, "frame": frame_of(place), "mask": mask, **video.columns()}


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
            f"{where}: the folder {folder} is {label.word}, but the video's label {entry['label']} is {said.word}; "
            "mend the one that is wrong"
        )
    return _Video(dataset, folder, split, level, name, label, [with_slashes(frame) for frame in frames])


def _label_of(name: str) -> Label:
    return Label.REAL if name.lower().endswith("real") else Label.FAKE


def _object(value: Any, where: str) -> Document:
    if not isinstance(value, dict):
        raise ManifestError(f"{where}: expected an object, got {type(value).__name__}")
    return value


def _parsed(path: Path) -> Document:
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ManifestError(f"{path}: not JSON ({error})") from error
    return _object(document, str(path))
