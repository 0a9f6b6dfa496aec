"""Celeb-DF v1, v2 and ++.

    Celeb-real/id0_0000.mp4
    YouTube-real/00170.mp4                            some copies: Youtube-real
    Celeb-synthesis/id0_id1_0000.mp4                  v1 and v2
    Celeb-synthesis/<scenario>/<method>/id0_id1_0000.mp4    ++; scenarios FaceSwap, FaceReenact and TalkingFace
    List_of_testing_videos.txt                        lines `1 YouTube-real/00170.mp4`

In the list **1 is real and 0 is fake**. What it does not name is for training. A folder's videos may lie in a folder
`videos` of it. All three are one data set, `celeb_df`: they share their people and their reals.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from realface.core.errors import DatasetError, TextFileError
from realface.core.labels import Label
from realface.core.text_files import read_text
from realface.datasets.listing import listed_path, matching_name, require_distinct, subfolders, videos_below
from realface.datasets.reader import Inventory, SourceVideo

CELEB_REAL, YOUTUBE_REAL, SYNTHESIS = "Celeb-real", "YouTube-real", "Celeb-synthesis"
PARTS = {CELEB_REAL: Label.REAL, YOUTUBE_REAL: Label.REAL, SYNTHESIS: Label.FAKE}
FACE_SWAP = "FaceSwap"
SCENARIOS = (FACE_SWAP, "FaceReenact", "TalkingFace")
TEST_LIST = "List_of_testing_videos.txt"
LIST_LABELS = {"1": Label.REAL, "0": Label.FAKE}  # the other way round than everywhere else
_REAL_NAME = re.compile(r"(id\d+)_\d+")
FAKE_NAME = re.compile(r"(id\d+)_(id\d+)_(\d+)")


class CelebDfReader:
    """The reader. Without the list of test videos nothing has a split; a video in an unknown folder is left out."""

    name = "celeb_df"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: Celeb-real or Celeb-synthesis."""
        parts = {matching_name(folder.name, PARTS) for folder in subfolders(root)}
        return [] if parts & {CELEB_REAL, SYNTHESIS} else [f"folder {CELEB_REAL} or {SYNTHESIS}"]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: a list that is none or gives a video another label than its folder, or two files of one video.
        """
        listed = _read_list(root / TEST_LIST)
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        outside: Counter[str] = Counter()
        found: set[str] = set()
        for path in [
            path for folder in subfolders(root) if matching_name(folder.name, PARTS) for path in videos_below(folder)
        ]:
            place = _place(path, root)
            if place is None:
                outside[path.parent.relative_to(root).as_posix()] += 1
                continue
            items.append(_item(path, place, listed))
            found |= place.names_in_list
            counts[f"{place.label.word} videos, {place.kind}"] += 1
            counts["videos whose name does not say who is in them"] += (
                place.part != YOUTUBE_REAL and not place.identities
            )
        require_distinct(items, root)
        counts["test videos"] = sum(item.split == "test" for item in items)
        counts["videos left out: in no known folder"] = outside.total()
        missing = _missing(root, items, listed, found)
        missing += [
            f"{folder}: {count} videos left out; fakes are expected in {SYNTHESIS} itself, or in a method's folder in "
            f"{SYNTHESIS}/{', '.join(SCENARIOS)}, and reals in no further folder"
            for folder, count in outside.items()
        ]
        return Inventory(
            root,
            self.name,
            items,
            {kind: count for kind, count in counts.items() if count},
            missing,
            companions=frozenset([root / TEST_LIST]),
        )


@dataclass(frozen=True)
class _Place:
    """What a video's path says. `scenario` and `method` are those of ++."""

    part: str
    stem: str
    name: str
    scenario: str | None = None
    method: str | None = None

    @property
    def label(self) -> Label:
        return PARTS[self.part]

    @property
    def kind(self) -> str:
        return "/".join(filter(None, (self.part, self.scenario, self.method)))

    @property
    def identities(self) -> tuple[str, ...]:
        form = {CELEB_REAL: _REAL_NAME, SYNTHESIS: FAKE_NAME}.get(self.part)
        match = form.fullmatch(self.stem) if form else None
        return () if match is None else match.groups()[: 1 + self.label]

    @property
    def original(self) -> str | None:
        """The video that a face was swapped in; what reenactment and talking faces start from is not known."""
        match = FAKE_NAME.fullmatch(self.stem)
        if self.label == Label.REAL or match is None or self.scenario not in (None, FACE_SWAP):
            return None
        return f"{match[1]}_{match[3]}"

    @property
    def names_in_list(self) -> set[str]:
        """How a list may name it: the list of v2 knows nothing of the folder that its fakes have in ++."""
        names = {f"{self.kind}/{self.name}"}
        if self.scenario == FACE_SWAP and (self.method or "").casefold().startswith("celeb-df"):
            names.add(f"{self.part}/{self.name}")
        return names


def _place(path: Path, root: Path) -> _Place | None:
    first, *folders, name = path.relative_to(root).parts
    part = matching_name(first, PARTS)
    assert part is not None, path
    if folders and folders[-1] == "videos":
        folders.pop()
    if not folders:
        return _Place(part, path.stem, name)
    if part == SYNTHESIS and len(folders) == 2 and folders[0] in SCENARIOS:
        return _Place(part, path.stem, name, *folders)
    return None


def _item(path: Path, place: _Place, listed: dict[str, Label] | None) -> SourceVideo:
    split = None if listed is None else "test" if place.names_in_list & listed.keys() else "train"
    return SourceVideo(
        source=path,
        label=place.label,
        dataset=CelebDfReader.name,
        video=place.stem,
        split=split,
        method=(place.method or SYNTHESIS) if place.label == Label.FAKE else None,
        identities=place.identities,
        original=place.original,
    )


def _read_list(file: Path) -> dict[str, Label] | None:
    """The label of each test video by its path; None where there is no list."""
    if not file.is_file():
        return None
    try:
        text = read_text(file, errors="surrogateescape")
    except TextFileError as error:
        raise DatasetError(f"{file}: {error.text}", hint=error.hint) from error
    labels: dict[str, Label] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        written, *texts = line.split(maxsplit=1)
        first, _, rest = listed_path("".join(texts)).partition("/")
        part = matching_name(first, PARTS)
        if written not in LIST_LABELS or part is None or not rest:
            raise DatasetError(
                f"{file}:{number}: expected a line such as `1 YouTube-real/00170.mp4`, got {line.strip()!r}"
            )
        if LIST_LABELS[written] != PARTS[part]:
            raise DatasetError(
                f"{file}:{number}: says {written} of a video in {first}, but in this list 1 is real and 0 is fake",
                hint="restore the list that came with the data set",
            )
        labels[f"{part}/{rest}"] = PARTS[part]
    if not labels:
        raise DatasetError(f"{file}: names no video", hint="restore the list that came with the data set")
    return labels


def _missing(root: Path, items: list[SourceVideo], listed: dict[str, Label] | None, found: set[str]) -> list[str]:
    here = {matching_name(item.source.relative_to(root).parts[0], PARTS) for item in items}
    missing = [f"{part}: no videos" for part in PARTS if part not in here]
    if listed is None:
        return [*missing, f"{TEST_LIST}, which says what is test and what train; nothing has a split without it"]
    if absent := [name for name in listed if name not in found]:
        missing.append(f"{TEST_LIST}: {len(absent)} of its {len(listed)} videos are not here, such as {absent[0]}")
    return missing
