"""DeeperForensics-1.0.

    source_videos/<actor>/**/x.mp4                          real
    manipulated_videos/<variant>/<target>_<source>.mp4      fake: the face of the actor `source` in the video `target`
    lists/splits/{train,val,test}.txt                       a fake's name a line

The target, three digits, is a real of FaceForensics++, which is no part of this data set. A variant is the same 1,000
fakes, made otherwise or distorted.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from realface.core.errors import DatasetError, TextFileError
from realface.core.labels import Label
from realface.core.text_files import read_text
from realface.datasets.listing import (
    listed_path,
    require_distinct,
    split_file,
    subfolders,
    videos_below,
    videos_in,
)
from realface.datasets.reader import Inventory, SourceVideo

SOURCES, MANIPULATED = "source_videos", "manipulated_videos"
VARIANTS = (
    "end_to_end",
    "end_to_end_level_1",
    "end_to_end_level_2",
    "end_to_end_level_3",
    "end_to_end_level_4",
    "end_to_end_level_5",
    "end_to_end_mix_2_distortions",
    "end_to_end_mix_3_distortions",
    "end_to_end_mix_4_distortions",
    "end_to_end_random_level",
    "reenact_postprocess",
)
"""Those of the release; every other folder in `manipulated_videos` is one, too."""
SPLITS = ("train", "val", "test")
SPLIT_FOLDER = "lists/splits"
_FAKE_NAME = re.compile(r"(\d{3})_([^_]+)")


class DeeperForensicsReader:
    """The reader. Videos that no split file names are kept, with split None, and counted; no real is in any."""

    name = "deeperforensics"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a variant's folder."""
        return [] if subfolders(root / MANIPULATED) else [f"{MANIPULATED}/<variant>"]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: a fake in two splits, or two files of one video.
        """
        splits, missing = _read_splits(root)
        reals = [_real(path, root / SOURCES) for path in videos_below(root / SOURCES)]
        counts = Counter({f"real videos, {SOURCES}": len(reals)})
        if not reals:
            missing.append(f"{SOURCES}: no videos")
        fakes: list[SourceVideo] = []
        for variant in subfolders(root / MANIPULATED):
            found = [_fake(path, variant.name, splits) for path in videos_below(variant)]
            fakes += found
            counts[f"fake videos, {variant.name}"] = len(found)
            here = {item.video for item in found}
            if absent := [name for name in splits if name not in here]:
                missing.append(
                    f"{MANIPULATED}/{variant.name}: {len(absent)} of the {len(splits)} videos of the split files, "
                    f"such as {absent[0]}"
                )
        if absent := [variant for variant in VARIANTS if not (root / MANIPULATED / variant).is_dir()]:
            missing.append(
                f"{MANIPULATED}: {len(absent)} of the release's {len(VARIANTS)} variants: {', '.join(absent)}"
            )
        if outside := len(videos_in(root / MANIPULATED)):
            counts["videos left out: in no variant's folder"] = outside
            missing.append(f"{MANIPULATED}: the variant of {outside} videos, which are left out")
        require_distinct([*reals, *fakes], root)
        counts["fake videos in no split"] = sum(item.split is None for item in fakes)
        counts["fake videos whose name does not say who is in them"] = sum(not item.identities for item in fakes)
        return Inventory(
            root,
            self.name,
            [*reals, *fakes],
            {kind: count for kind, count in counts.items() if count},
            missing,
            companions=frozenset([root / SPLIT_FOLDER]),
        )


def _real(path: Path, sources: Path) -> SourceVideo:
    """A video of an actor, whose folder it is in."""
    below = path.relative_to(sources)
    return SourceVideo(
        source=path,
        label=Label.REAL,
        dataset=DeeperForensicsReader.name,
        video=below.with_suffix("").as_posix(),
        identities=below.parts[:1] if len(below.parts) > 1 else (),
    )


def _fake(path: Path, variant: str, splits: dict[str, str]) -> SourceVideo:
    """A video of a variant; target and source are those of its name."""
    match = _FAKE_NAME.fullmatch(path.stem)
    return SourceVideo(
        source=path,
        label=Label.FAKE,
        dataset=DeeperForensicsReader.name,
        video=path.stem,
        split=splits.get(path.stem),
        method=variant,
        identities=() if match is None else (match[1], match[2]),
        original=None if match is None else match[1],
    )


def _read_splits(root: Path) -> tuple[dict[str, str], list[str]]:
    """The split of each fake by its name, of whatever variant, and the files that are not here.

    Raises:
        DatasetError: a fake in two splits.
    """
    splits: dict[str, str] = {}
    missing = []
    for split in SPLITS:
        file = split_file(root / SPLIT_FOLDER, split, ".txt")
        if file is None:
            missing.append(f"{SPLIT_FOLDER}/{split}.txt, the list of the {split} videos")
            continue
        try:
            text = read_text(file, errors="surrogateescape")
        except TextFileError as error:
            raise DatasetError(f"{file}: {error.text}", hint=error.hint) from error
        for line in text.splitlines():
            name = PurePosixPath(listed_path(line)).name.removesuffix(".mp4")
            if name and splits.setdefault(name, split) != split:
                raise DatasetError(
                    f"{file}: {name} is in the {splits[name]} split already",
                    hint="list each video in one split only",
                )
    return splits, missing
