"""Which folders of numbered images are the frames of one video each, where only names can tell.

A folder looks like frames if all images in it share a suffix and are named by a number, with nothing before it, or
`frame`, or the folder's own name: `0001.png`, `frame_0001.png`, `071_0001.png`. It may also be a collection of
different people (`real/ffhq/00001.png`), so its place decides:

- below a folder of `real/`, or below a method's folder in `fake/`: it is a video;
- in `real/` itself, of whatever split: it is a video if it has company, because a collection comes alone, or if its
  name is a number;
- in `fake/` itself, where the folder is the method otherwise: it is a video if its name is a number, or that of a video
  in `real/`;
- where numbers go on from one folder to the next (`00000/00999.png`, `01000/01000.png`), none of them is.

A folder that looks like frames and is no video is named, because each of its images then counts as a video of its own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from realface.core.labels import Label
from realface.media.images import is_image_name

FEWEST_FRAMES = 2
_NUMBERED = re.compile(r"(.*?)(\d{1,9})")
_NUMBER_NAME = re.compile(r"\d[\d _-]*")
_PREFIXES = frozenset({"", "f", "frame"})


@dataclass(frozen=True)
class LabelledPlace:
    """What the folders of a file say.

    Attributes:
        label: real or fake.
        split: train, val or test; None if no folder says it.
        folders: names of the folders below that of the label.
    """

    label: Label
    split: str | None
    folders: tuple[str, ...]


@dataclass
class FrameFolders:
    """The folders that look like frames.

    Attributes:
        videos: of each folder that is a video, the frame numbers by file.
        separate: the number of images of each folder whose images count as videos of their own.
    """

    videos: dict[Path, dict[Path, int]] = field(default_factory=dict)
    separate: dict[Path, int] = field(default_factory=dict)

    def frame_of(self, path: Path) -> int | None:
        """Return the frame number of an image; None if it is a video of its own."""
        return self.videos.get(path.parent, {}).get(path)

    def notes(self) -> list[str]:
        """One line for each kind of folder, with what to do if the guess is wrong."""
        notes = []
        if self.videos:
            first, frames = next(iter(self.videos.items()))
            notes.append(
                f"{_folders(self.videos)}, such as {first.as_posix()} ({len(frames)} images), count as one video each; "
                "if the images show different people, rename them, or move them into the folder real or fake itself"
            )
        if self.separate:
            first, num_images = next(iter(self.separate)), sum(self.separate.values())
            notes.append(
                f"{_folders(self.separate)}, such as {first.as_posix()}, count as {num_images} separate videos; if a "
                "folder contains the frames of one video, move it to real/ANY_NAME/VIDEO or fake/METHOD/VIDEO and "
                "number its frames from 0 or 1"
            )
        return notes


def find_frame_folders(places: Mapping[Path, LabelledPlace]) -> FrameFolders:
    """Find the folders of numbered images.

    Args:
        places: images and videos with what their folders say, in natural order.
    """
    files: defaultdict[Path, list[Path]] = defaultdict(list)
    for path, place in places.items():
        if place.folders:
            files[path.parent].append(path)
    candidates = {folder: numbers for folder, own in files.items() if (numbers := _frame_numbers(folder, own))}
    place_of = {folder: places[next(iter(numbers))] for folder, numbers in candidates.items()}
    siblings: defaultdict[Path | Label, list[Path]] = defaultdict(list)
    for folder in candidates:
        place = place_of[folder]
        siblings[place.label if len(place.folders) == 1 else folder.parent].append(folder)  # the first of all splits
    chosen: set[Path] = set()
    real_names: set[str] = set()
    # reals first: a folder in fake/ is a video if a video in real/ has its name
    for group in sorted(siblings.values(), key=lambda group: place_of[group[0]].label):
        place = place_of[group[0]]
        if len(place.folders) == 1 and place.label == Label.FAKE:
            group = [folder for folder in group if folder.name in real_names or _NUMBER_NAME.fullmatch(folder.name)]
        is_alone = len(place.folders) == 1 and place.label == Label.REAL and len(group) == 1
        if is_alone and not _NUMBER_NAME.fullmatch(group[0].name):
            continue
        if len(group) == 1 or _share_a_number(candidates[folder] for folder in group):
            chosen.update(group)
            if place.label == Label.REAL:
                real_names.update(folder.name for folder in group)
    return FrameFolders(
        videos={folder: numbers for folder, numbers in candidates.items() if folder in chosen},
        separate={folder: len(numbers) for folder, numbers in candidates.items() if folder not in chosen},
    )


def _frame_numbers(folder: Path, files: list[Path]) -> dict[Path, int]:
    """The frame numbers of the files of a folder; nothing if they do not look like frames."""
    numbers: dict[Path, int] = {}
    forms = set()
    for file in files:
        match = _NUMBERED.fullmatch(file.stem)
        if match is None or not is_image_name(file):
            return {}
        forms.add((prefix := match[1].rstrip("_- .").casefold(), file.suffix))
        if len(forms) > 1 or prefix not in _PREFIXES | {folder.name.casefold()}:
            return {}
        numbers[file] = int(match[2])
    return numbers if len(set(numbers.values())) == len(files) >= FEWEST_FRAMES else {}


def _share_a_number(folders: Iterable[Mapping[Path, int]]) -> bool:
    """Whether a number is in two folders, as where the frames of each are counted from the start."""
    times = Counter(number for numbers in folders for number in numbers.values())
    return max(times.values(), default=0) > 1


def _folders(folders: Mapping[Path, object]) -> str:
    return f"the images of {len(folders)} folder{'s' * (len(folders) != 1)} with numbered names"
