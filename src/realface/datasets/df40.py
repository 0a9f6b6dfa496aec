"""DF40: forgeries by 40 methods, as the face crops that its authors give out.

    <method>/{ff,cdf}/frames/<video>/000.png     fakes of 31 methods, made from FaceForensics++ and Celeb-DF; test
    <method>/{fake,real}/..                      9 further methods, with reals of their own; test
    DF40_train/<method>/ff/..                    train

The folder `frames` may be absent, and images that lie in no video's folder stand for themselves. The reals of the 31
methods are those of FaceForensics++ and Celeb-DF, and are not part of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from realface.core.labels import Label
from realface.core.split_names import TEST, usual_split
from realface.datasets.celeb_df import FAKE_NAME as CELEB_DF_NAME
from realface.datasets.faceforensics import identities_in
from realface.datasets.listing import NOT_FACES, matching_name, require_distinct, shown_in, subfolders, walk_shown
from realface.datasets.reader import Inventory, SourceVideo
from realface.media.discovery import natural_order
from realface.media.images import is_image_name

FF, CDF = "ff", "cdf"
PARTS = {FF: Label.FAKE, CDF: Label.FAKE, "fake": Label.FAKE, "real": Label.REAL}
OWN_REALS = frozenset(
    {"deepfacelab", "heygen", "whichisreal", "midjourney", "stargan", "starganv2", "styleclip", "e4e", "collabdiff"}
)
"""Methods, in small letters, with folders `fake` and `real`, which other data sets have too."""
TOP = "df40"
FRAMES = "frames"
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".rar", ".7z"})


class Df40Reader:
    """The reader. A folder of images is one item; so is an image in no folder of its own."""

    name = "df40"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a method with ff or cdf, or one of the nine others, here or in DF40_train."""
        for method in (method for top, _ in _tops(root) for method in subfolders(top)):
            parts = {part for folder in subfolders(method) if (part := matching_name(folder.name, PARTS))}
            if parts & {FF, CDF} or (parts and method.name.lower() in OWN_REALS):
                return []
        return [f"<method>/{FF} or <method>/{CDF}, at the top or in DF40_train"]

    def scan(self, root: Path) -> Inventory:
        """Find every folder of images, and every image that is in none.

        Raises:
            DatasetError: two folders or images of one video.
        """
        items: list[SourceVideo] = []
        counts: Counter[str] = Counter()
        missing: list[str] = []
        companions: set[Path] = set()
        for top, split in _tops(root):
            found: list[SourceVideo] = []
            for folder in _part_folders(top):
                crops = _Crops.below(folder)
                found += [_item(path, folder, split) for path in crops.sources]
                for kind, number in crops.kinds.items():
                    counts[f"{PARTS[folder.name.lower()].word} {kind}, {folder.parent.name}/{folder.name}"] += number
                counts["left out: files in folders of masks and landmarks"] += crops.num_not_faces
                counts["left out: no images"] += crops.num_others
                if not crops.sources:
                    missing.append(f"{folder.relative_to(root).as_posix()}: no images")
                companions.update(crops.folders_not_faces)
            require_distinct(found, root)
            items += found
            missing += _strangers(top, root)
        missing += _in_both_splits(items)
        if any(_came_from_elsewhere(item) for item in items):
            missing.append(
                "the reals that the fakes in ff and cdf were made of, which are those of FaceForensics++ and Celeb-DF"
            )
        return Inventory(
            root,
            self.name,
            items,
            {kind: count for kind, count in counts.items() if count},
            missing,
            are_crops=True,
            companions=frozenset(companions),
        )


@dataclass(frozen=True)
class _Crops:
    """What is in the folder of a method's part.

    Attributes:
        sources: folders of images and images by themselves, in natural order.
        folders_not_faces: folders of masks and landmarks.
        num_not_faces: files in these.
        num_others: other files that are no images.
    """

    sources: list[Path]
    folders_not_faces: list[Path]
    num_not_faces: int
    num_others: int

    @property
    def kinds(self) -> Counter[str]:
        """How many of each."""
        return Counter("sequences" if path.is_dir() else "images" for path in self.sources)

    @classmethod
    def below(cls, part: Path) -> _Crops:
        """Look through the folder. What lies below a folder of images belongs to it."""
        sequences: set[Path] = set()
        loose: list[Path] = []
        folders_not_faces: list[Path] = []
        num_not_faces = num_others = 0
        for folder, folders, names in walk_shown(part):
            folders_not_faces += [folder / name for name in folders if name.lower() in NOT_FACES]
            within = {name.lower() for name in folder.relative_to(part).parts}
            if within & NOT_FACES:
                num_not_faces += len(names)
                continue
            images = [folder / name for name in names if is_image_name(Path(name))]
            num_others += len(names) - len(images)
            if within <= {FRAMES}:
                loose += images
            elif images and sequences.isdisjoint(folder.parents):
                sequences.add(folder)
        sources = sorted([*sequences, *loose], key=natural_order)
        return cls(sources, folders_not_faces, num_not_faces, num_others)


def _tops(root: Path) -> list[tuple[Path, str]]:
    """The folders that hold methods, and their splits; `root` itself may be DF40_train."""
    below = [(folder, split) for folder in subfolders(root) if (split := _split_of_top(folder.name))]
    return [(root, _split_of_top(root.resolve().name) or TEST), *below]


def _split_of_top(name: str) -> str | None:
    """The split of a folder such as DF40_train, or DF40, which is test; None for a folder of another name."""
    top, _, split = name.lower().partition("_")
    return None if top != TOP else usual_split(split) if split else TEST


def _part_folders(top: Path) -> list[Path]:
    """The folders `ff`, `cdf`, `fake` and `real` of methods; beside DF40's own folders, only of methods of its own."""
    folders = subfolders(top)
    methods = [folder for folder in folders if not _split_of_top(folder.name)]
    parts = [folder for method in methods for folder in subfolders(method) if matching_name(folder.name, PARTS)]
    if len(methods) == len(folders):
        return parts
    return [part for part in parts if part.name.lower() in (FF, CDF) or part.parent.name.lower() in OWN_REALS]


def _item(path: Path, part: Path, split: str) -> SourceVideo:
    method, kind = part.parent.name, part.name.lower()
    below = [name for name in path.relative_to(part).parts if name.lower() != FRAMES]
    identities, original = _shown(path.stem if path.is_file() else path.name, kind)
    return SourceVideo(
        source=path,
        label=PARTS[kind],
        dataset=Df40Reader.name,
        video="/".join([method, kind, *below]),  # the bare name repeats across methods
        split=split,
        method=method if PARTS[kind] == Label.FAKE else None,
        identities=identities,
        original=original,
    )


def _shown(name: str, kind: str) -> tuple[tuple[str, ...], str | None]:
    """The identities, the target first, and the real that a fake was made of, where its name says so."""
    if kind == FF:
        identities = identities_in(name, Label.FAKE)
        if identities and all(len(identity) == 3 and identity.isdecimal() for identity in identities):
            return identities, identities[0]
    elif kind == CDF and (match := CELEB_DF_NAME.fullmatch(name)):
        return (match[1], match[2]), f"{match[1]}_{match[3]}"
    return (), None


def _came_from_elsewhere(item: SourceVideo) -> bool:
    return item.video.split("/")[1] in (FF, CDF)


def _in_both_splits(items: list[SourceVideo]) -> list[str]:
    splits: defaultdict[str, set[str | None]] = defaultdict(set)
    for item in items:
        splits[item.video].add(item.split)
    both = [video for video, of_video in splits.items() if len(of_video) > 1]
    return [f"a clear split of {len(both)} videos that are in train and test, such as {both[0]}"] if both else []


def _strangers(top: Path, root: Path) -> list[str]:
    """Folders that are no methods or parts of one, and archives."""
    strange: list[Path] = []
    archives: list[Path] = []
    known = {folder.parent for folder in _part_folders(top)}
    for place in (top, *sorted(known, key=natural_order)):
        for path in shown_in(place):
            name = path.name.lower()
            if path.suffix.lower() in ARCHIVES and path.is_file():
                archives.append(path)
            elif (
                path.is_dir()
                and path not in known
                and not (_split_of_top(name) if place == top else matching_name(name, PARTS))
            ):
                strange.append(path)
    missing = []
    if strange:
        shown = strange[0].relative_to(root).as_posix()
        missing.append(
            f"{len(strange)} folders, such as {shown}, left out: in no folder {', '.join(PARTS)} of a method"
        )
    if archives:
        shown = archives[0].relative_to(root).as_posix()
        missing.append(f"{len(archives)} archives, such as {shown}, are not unpacked")
    return missing
