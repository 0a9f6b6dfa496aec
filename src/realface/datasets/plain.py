"""Plain folders: `real/**` and `fake/**` (or `0/` and `1/`), with or without `train/`, `val/`, `test/` above."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from realface.core.labels import Label
from realface.core.split_names import usual_split
from realface.datasets.frame_folders import LabelledPlace, find_frame_folders
from realface.datasets.listing import names_without_suffix, subfolders, walk_shown
from realface.datasets.reader import Inventory, SourceVideo
from realface.media.discovery import kind_in_folder, natural_order

CLASSES = {"real": Label.REAL, "0": Label.REAL, "fake": Label.FAKE, "1": Label.FAKE}
EXPECTED = "folder real, fake, 0 or 1, at the top or in train, val or test"


class PlainReader:
    """Images and videos sorted into folders by label. One of the two labels is enough.

    A first subfolder of a fake folder is the method: `fake/Deepfakes/x.mp4`. Every file is a video of its own, named by
    its whole path below the root without suffix, because `real/1.mp4`, `fake/1.mp4` and `train/real/1.mp4` have nothing
    to do with one another. Files that differ only in their suffix keep it in their names. The images of a folder of
    numbered frames are one video: `frame_folders` says which folders are. Identities are unknown, and files outside the
    label folders are left out and named.
    """

    name = "plain"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a label folder."""
        tops = [root, *(folder for folder in subfolders(root) if usual_split(folder.name))]
        has_class = any(folder.name.lower() in CLASSES for top in tops for folder in subfolders(top))
        return [] if has_class else [EXPECTED]

    def scan(self, root: Path) -> Inventory:
        """Find every image and video.

        Raises:
            UnreadableFolderError: a folder cannot be listed.
        """
        files = [(place / name).relative_to(root) for place, _, names in walk_shown(root) for name in names]
        kinds = {path: kind for path in files if (kind := kind_in_folder(root / path)) is not None}
        media = sorted(kinds, key=natural_order)
        # paths are relative to `root`: folders above it must not decide on a label
        labelled = {path: place for path in media if (place := _place_of(path)) is not None}
        names = names_without_suffix(media)
        frames = find_frame_folders(labelled)
        dataset = root.resolve().name
        items = []
        counts: Counter[str] = Counter()
        outside: Counter[str] = Counter()
        for path in media:
            if path not in labelled:
                outside[f"{path.parts[0]}/" if len(path.parts) > 1 else "the top folder"] += 1
                counts["left out: in no label folder"] += 1
                continue
            items.append(_item(root, dataset, path, labelled[path], names[path], frames.frame_of(path)))
            counts[f"{labelled[path].label.word} {'images' if kinds[path] == 'image' else 'videos'}"] += 1
        for folder in frames.videos:
            label = labelled[next(iter(frames.videos[folder]))].label
            counts[f"{label.word} videos that are folders of numbered images"] += 1
        missing = [
            f"{place}: {count} images or videos in no label folder were left out; expected a {EXPECTED}"
            for place, count in outside.items()
        ]
        missing += [
            f"no {label.word} images or videos" for label in Label if not any(item.label == label for item in items)
        ]
        return Inventory(root, self.name, items, dict(counts), missing, notes=frames.notes())


def _place_of(below: Path) -> LabelledPlace | None:
    """What the folders of a path below the root say; None if none of them is a label's."""
    folders = list(below.parts[:-1])
    split = usual_split(folders[0]) if folders else None
    if split is not None:
        folders.pop(0)
    label = CLASSES.get(folders.pop(0).lower()) if folders else None
    return None if label is None else LabelledPlace(label, split, tuple(folders))


def _item(root: Path, dataset: str, path: Path, place: LabelledPlace, name: str, frame: int | None) -> SourceVideo:
    is_video_folder = frame is not None
    has_method = place.label == Label.FAKE and len(place.folders) > is_video_folder
    return SourceVideo(
        source=root / path,
        label=place.label,
        dataset=dataset,
        video=path.parent.as_posix() if is_video_folder else name,
        split=place.split,
        method=place.folders[0] if has_method else None,
        frame=frame,
    )
