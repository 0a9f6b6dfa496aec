"""ForgeryNet: images, and videos of which parts may be forged.

    Training/image/<list>.txt               lines `<image> <binary> <triple> <16-class>`
    Training/image/train_release/1/x.jpg    the folder's number is the class: 1 to 15 are fake, 16 to 19 real
    Training/video/<list>.txt               `<n> <video> (<start> <count> <fake 0/1>) x n <binary> <triple> <16-class>`
    Training/video/train_video_release/1/x.mp4
    Validation/image, Validation/video      the same

A list has any name; it may also lie in `Training` itself with `image` or `video` in its name. Its paths may start below
`image`, at `image`, at `Training` or further up, with or without a folder such as `train_release`. In a list a real's
class is 0. Where class and folder disagree, the folder is right. Frames are counted from 0. The labels of `Test` were
never released, so Validation is the split test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from realface.core.errors import DatasetError, TextFileError
from realface.core.labels import Label
from realface.core.text_files import read_text
from realface.datasets.listing import listed_path, names_without_suffix, require_distinct, shown_in, walk_shown
from realface.datasets.reader import Inventory, SourceVideo
from realface.media.discovery import natural_order
from realface.media.images import is_image_name
from realface.media.videos import is_video_name

SPLITS = {"Training": "train", "Validation": "test"}
UNLABELLED = "Test"
METHODS = {
    1: "FaceShifter",
    2: "FS-GAN",
    3: "DeepFakes",
    4: "BlendFace",
    5: "MMReplacement",
    6: "DeepFakes-StarGAN-Stack",
    7: "Talking Head",
    8: "ATVG-Net",
    9: "StarGAN-BlendFace-Stack",
    10: "FOMM",
    11: "StyleGAN2",
    12: "MaskGAN",
    13: "StarGAN2",
    14: "SC-FEGAN",
    15: "DiscoFaceGAN",
}
REALS = {16: "RAVDESS", 17: "CREMA-D", 18: "AVSpeech", 19: "VoxCeleb"}
CLASSES = frozenset({0, *METHODS, *REALS})  # in the lists, where every real's is 0
LABELS = {"0": Label.REAL, "1": Label.FAKE}


class ForgeryNetReader:
    """The reader. Either kind and either split is enough; files that no list names are left out.

    An image or video is named by its whole path below the root without suffix, or with it where two files differ in
    nothing else. Who is in it, and what a fake was made of, is not told.
    """

    name = "forgerynet"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a folder of images or videos with its list."""
        places = [(root / folder / kind.folder, kind) for folder in SPLITS for kind in KINDS]
        if any(place.is_dir() and _lists(place, kind) for place, kind in places):
            return []
        return [f"list .txt in {' or '.join(f'{folder}/{kind.folder}' for folder in SPLITS for kind in KINDS)}"]

    def scan(self, root: Path) -> Inventory:
        """Find every image and video.

        Raises:
            DatasetError: an invalid line, a file with two labels, a list that turns labels round, or two files of
                one name.
        """
        parts = [_read_part(_Place(root, folder, kind)) for folder in SPLITS for kind in KINDS]
        items = [item for part in parts for item in part.items]
        require_distinct(items, root)
        counts = sum((part.counts for part in parts), Counter[str]())
        missing = [line for part in parts for line in part.missing]
        if (root / UNLABELLED).is_dir():
            missing.append(f"{UNLABELLED}: its labels, which were never released; it is left out")
        lists = frozenset(file for part in parts for file in part.lists)
        return Inventory(root, self.name, items, dict(counts), missing, companions=lists)


@dataclass(frozen=True)
class _Entry:
    """What a line says of its file.

    Attributes:
        label: the binary label.
        number: the class.
        segments: of a video, first and last frame and label of each part.
    """

    label: Label
    number: int
    segments: tuple[tuple[int, int, Label], ...] = ()


@dataclass(frozen=True)
class _Kind:
    """Images or videos: their folder, and how a line that names one is read."""

    folder: str
    plural: str
    form: str
    is_name: Callable[[Path], bool]
    read: Callable[[str], tuple[str, _Entry]]


def _read_image(line: str) -> tuple[str, _Entry]:
    """Path and entry of a line.

    Raises:
        ValueError, KeyError: the line has another form.
    """
    name, *texts = line.rsplit(maxsplit=3)
    return name, _entry(texts)


def _read_video(line: str) -> tuple[str, _Entry]:
    """The same of a video's line."""
    count, rest = line.split(maxsplit=1)
    num_segments = _number(count)
    name, *texts = rest.rsplit(maxsplit=3 * num_segments + 3)
    segments = []
    for index in range(0, 3 * num_segments, 3):
        start, length, flag = texts[index : index + 3]
        segments.append((_number(start), _number(start) + _number(length) - 1, LABELS[flag]))
    return name, _entry(texts[3 * num_segments :], tuple(segments))


def _entry(texts: list[str], segments: tuple[tuple[int, int, Label], ...] = ()) -> _Entry:
    binary, triple, number = texts
    _number(triple)
    if _number(number) not in CLASSES:
        raise ValueError
    return _Entry(LABELS[binary], int(number), segments)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError
    return int(text)


IMAGES = _Kind("image", "images", "<image> <binary> <triple> <16-class>", is_image_name, _read_image)
VIDEOS = _Kind(
    "video",
    "videos",
    "<n> <video> (<start> <count> <fake 0/1>) x n <binary> <triple> <16-class>",
    is_video_name,
    _read_video,
)
KINDS = (IMAGES, VIDEOS)


@dataclass(frozen=True)
class _Place:
    """The images or the videos of one split."""

    root: Path
    split_folder: str
    kind: _Kind

    @property
    def name(self) -> str:
        return f"{self.split_folder}/{self.kind.folder}"

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @property
    def split(self) -> str:
        return SPLITS[self.split_folder]


@dataclass(frozen=True)
class _Part:
    """What was found in one place."""

    items: list[SourceVideo]
    counts: Counter[str]
    missing: list[str]
    lists: list[Path]


def _read_part(place: _Place) -> _Part:
    files = {path.relative_to(place.folder).as_posix(): path for path in _media_below(place.folder)}
    lists = _lists(place.folder, place.kind)
    plural = place.kind.plural
    if not files and not lists:
        return _Part([], Counter(), [f"{place.name}: no {plural}"], [])
    entries, missing = _read_lists(lists, _Paths(files, place), place)
    if not lists:
        missing.append(f"{place.name}: a list .txt, which says what is fake")
    videos = names_without_suffix(path.relative_to(place.root) for path in files.values())
    found = {
        name: _item(place, path, name, entries[name], videos[path.relative_to(place.root)])
        for name, path in files.items()
        if name in entries
    }
    items = [item for item in found.values() if item is not None]
    counts = Counter(f"{item.label.word} {plural}, {item.split}" for item in items)
    corrected = [name for name, item in found.items() if item and item.method != METHODS.get(entries[name].number)]
    if corrected:
        counts[f"{plural} whose list has another class than their folder, which is right"] = len(corrected)
    if contradictory := [name for name, item in found.items() if item is None]:
        counts[f"{plural} left out: binary label, class and segments contradict one another"] = len(contradictory)
        missing.append(
            f"{place.name}: the labels of {len(contradictory)} {plural}, which are left out because binary label, "
            f"class and segments contradict one another, such as {contradictory[0]}"
        )
    if unlisted := [name for name in files if name not in entries]:
        counts[f"left out: in no list of {plural}"] = len(unlisted)
        missing.append(
            f"{place.name}: the labels of {len(unlisted)} files, which are left out because no list names them, "
            f"such as {unlisted[0]}"
        )
    return _Part(items, counts, missing, lists)


def _read_lists(lists: list[Path], paths: _Paths, place: _Place) -> tuple[dict[str, _Entry], list[str]]:
    """What the lists say of the files that are here, and what is missing of them.

    Raises:
        DatasetError: a line of another form, a file with two labels, or labels turned round.
    """
    entries: dict[str, _Entry] = {}
    missing = []
    for file in lists:
        absent = []
        num_found = num_turned = 0
        for where, listed, entry in _read_list(file, place.kind):
            name = paths.find(listed)
            if name is None:
                absent.append(listed)
                continue
            if entries.setdefault(name, entry) != entry:
                raise DatasetError(f"{where}: {listed} is named before with other labels", hint="keep one line of it")
            num_found += 1
            num_turned += _label_of(name, entry) is None
        num_lines = num_found + len(absent)
        if num_turned * 2 > num_found:
            raise DatasetError(
                f"{file}: the binary label of {num_turned} of {num_found} lines contradicts the class: 1 must be "
                "fake, as classes 1 to 15 are",
                hint="restore the list that came with the data set",
            )
        if absent:
            missing.append(
                f"{file.relative_to(place.root).as_posix()}: {len(absent)} of its {num_lines} {place.kind.plural} are "
                f"not here, such as {absent[0]}"
            )
    return entries, missing


def _item(place: _Place, path: Path, name: str, entry: _Entry, video: str) -> SourceVideo | None:
    """The image or video; None where it has no certain label."""
    label = _label_of(name, entry)
    if label is None or (place.kind is VIDEOS and not _segments_fit(entry, label)):
        return None
    return SourceVideo(
        source=path,
        label=label,
        dataset=ForgeryNetReader.name,
        video=video,
        split=place.split,
        method=METHODS.get(_class_of(name, entry)),
        spans=_segments_of(entry, Label.FAKE),
    )


class _Paths:
    """Finds the file that a list's path means, wherever that path starts.

    Args:
        files: what there is, by the path below the place's folder.
        place: where it lies.
    """

    def __init__(self, files: Mapping[str, Path], place: _Place) -> None:
        self._files = files
        self._place = place
        tops = {name.partition("/")[0] for name in files if "/" in name}
        self._wrappers = sorted(top for top in tops if _is_wrapper(top))

    def find(self, listed: str) -> str | None:
        """The path below the place's folder; None where there is no such file."""
        below = self._below_folder(PurePosixPath(listed).parts)
        candidates = ["/".join(below), *("/".join((wrapper, *below)) for wrapper in self._wrappers)]
        if _is_wrapper(below[0]):
            candidates.append("/".join(below[1:]))
        return next((name for name in candidates if name in self._files), None)

    def _below_folder(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        kind_folder = self._place.kind.folder
        for index in range(len(parts) - 2):
            if parts[index : index + 2] == (self._place.split_folder, kind_folder):
                return parts[index + 2 :]
        return parts[1:] if parts[0] == kind_folder and len(parts) > 1 else parts


def _is_wrapper(folder: str) -> bool:
    """Whether it is the folder that the archives put around the classes' folders, such as train_release."""
    return folder.endswith("release")


def _media_below(folder: Path) -> list[Path]:
    paths = (place / name for place, _, names in walk_shown(folder) for name in names)
    return sorted((path for path in paths if is_image_name(path) or is_video_name(path)), key=natural_order)


def _lists(folder: Path, kind: _Kind) -> list[Path]:
    """The lists in the kind's folder, and those of the split's folder that are named after the kind."""
    texts = [path for place in (folder.parent, folder) for path in shown_in(place) if path.suffix == ".txt"]
    named = [path for path in texts if path.parent == folder or kind.folder in path.name.casefold()]
    return sorted(named, key=natural_order)


def _read_list(file: Path, kind: _Kind) -> Iterator[tuple[str, str, _Entry]]:
    """Place, path and entry of every line.

    Raises:
        DatasetError: a line of another form.
    """
    try:
        text = read_text(file, errors="surrogateescape")
    except TextFileError as error:
        raise DatasetError(f"{file}: {error.text}", hint=error.hint) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            listed, entry = kind.read(line.strip())
            listed = listed_path(listed)
            if not kind.is_name(Path(listed)):
                raise ValueError
        except (ValueError, KeyError) as error:
            raise DatasetError(
                f"{file}:{number}: expected a line `{kind.form}`, got {line.strip()!r}",
                hint="restore the list that came with the data set",
            ) from error
        yield f"{file}:{number}", listed, entry


def _class_of(name: str, entry: _Entry) -> int:
    """The number of the class's folder, which is the first or lies in one such as train_release; else the list's."""
    for folder in name.split("/")[:-1][:2]:
        if folder.isdecimal():
            return int(folder) if int(folder) in METHODS or int(folder) in REALS else entry.number
        if not _is_wrapper(folder):
            break
    return entry.number


def _label_of(name: str, entry: _Entry) -> Label | None:
    """Label of the class; None where the binary label contradicts it.

    A line of which binary label and class agree, but not with the folder, is wrong as a whole: the folder is right.
    """
    label, listed = (Label(number in METHODS) for number in (_class_of(name, entry), entry.number))
    return label if entry.label in (label, listed) else None


def _segments_of(entry: _Entry, label: Label) -> tuple[tuple[int, int], ...]:
    """First and last frame of the segments of a label; those without frames are nothing."""
    return tuple((first, last) for first, last, of in entry.segments if of == label and first <= last)


def _segments_fit(entry: _Entry, label: Label) -> bool:
    """Whether a fake has forged frames and a real has none, and no frame is both."""
    forged, real = (_segments_of(entry, of) for of in (Label.FAKE, Label.REAL))
    overlap = any(first <= end and start <= last for first, last in forged for start, end in real)
    return bool(forged) == (label == Label.FAKE) and not overlap
