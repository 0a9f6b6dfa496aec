"""DFDC, the Deepfake Detection Challenge.

    dfdc_train_part_0/x.mp4             or dfdc_train_part_00/dfdc_train_part_0/, as the archives unpack
    dfdc_train_part_0/metadata.json     {"x.mp4": {"label": "FAKE", "split": "train", "original": "y.mp4"}}
    test/x.mp4
    test/labels.csv, or labels.csv      header `filename,label`; 1 = fake

Who is in a video is not told. A video of which no list gives the label is left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from realface.core.errors import DatasetError, TextFileError
from realface.core.labels import Label
from realface.core.text_files import decode_text
from realface.datasets.json_labels import read_json_labels
from realface.datasets.listing import listed_path, missing_originals, require_distinct, subfolders, videos_in
from realface.datasets.reader import Inventory, SourceVideo

PART = re.compile(r"dfdc_train_part_\d+")
METADATA, TEST, LABELS = "metadata.json", "test", "labels.csv"
SPLITS = ("train", "val", "test")


class DfdcReader:
    """The reader. Training parts or test videos alone are enough."""

    name = "dfdc"

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing: a training part, or the test folder with its labels."""
        if _parts(root) or ((root / TEST).is_dir() and _labels_file(root) is not None):
            return []
        return [f"dfdc_train_part_<N>/{METADATA}", f"{TEST}/ with {LABELS}"]

    def scan(self, root: Path) -> Inventory:
        """Find every video.

        Raises:
            DatasetError: a list that is none or names a video twice, or one video in two folders.
        """
        parts = _parts(root)
        folders = [_read_folder(part, part / METADATA, _read_metadata, root) for part in parts]
        missing = [] if parts else ["dfdc_train_part_<N>: no training videos"]
        if (root / TEST).is_dir():
            folders.append(_read_folder(root / TEST, _labels_file(root) or root / TEST / LABELS, _read_labels, root))
        else:
            missing.append(f"{TEST}: no test videos")
        items = [item for folder in folders for item in folder.items]
        require_distinct(items, root)
        missing += [line for folder in folders for line in folder.missing]
        missing += missing_originals(items)
        counts = Counter(f"{item.label.word} videos, {item.split}" for item in items)
        if unlabelled := sum(folder.num_unlabelled for folder in folders):
            counts["videos left out: without a label"] = unlabelled
        lists = frozenset([root / LABELS, root / TEST / LABELS, *(part / METADATA for part in parts)])
        return Inventory(root, self.name, items, dict(counts), missing, companions=lists)


@dataclass(frozen=True)
class _Entry:
    label: Label
    split: str
    original: str | None = None


@dataclass(frozen=True)
class _Folder:
    items: list[SourceVideo]
    num_unlabelled: int
    missing: list[str]


def _parts(root: Path) -> list[Path]:
    """The folders of training videos, also one level deeper."""
    parts = []
    for outer in subfolders(root):
        if PART.fullmatch(outer.name):
            inner = [folder for folder in subfolders(outer) if PART.fullmatch(folder.name)]
            parts += [*([outer] if not inner or videos_in(outer) else []), *inner]
    return parts


def _labels_file(root: Path) -> Path | None:
    return next((file for file in (root / TEST / LABELS, root / LABELS) if file.is_file()), None)


def _read_folder(folder: Path, file: Path, read: Callable[[Path], dict[str, _Entry]], root: Path) -> _Folder:
    """The videos of a folder that its list names."""
    where, named_by = (path.relative_to(root).as_posix() for path in (folder, file))
    videos = videos_in(folder)
    if not file.is_file():
        return _Folder([], len(videos), [f"{named_by}: the labels of {len(videos)} videos, which are left out"])
    entries = read(file)
    items = [_item(path, entries[path.name]) for path in videos if path.name in entries]
    here = {path.name for path in videos}
    missing = []
    if absent := [name for name in entries if name not in here]:
        missing.append(f"{where}: {len(absent)} of the {len(entries)} videos of {named_by}, such as {absent[0]}")
    if unlabelled := [path.name for path in videos if path.name not in entries]:
        missing.append(
            f"{named_by}: the labels of {len(unlabelled)} of {len(videos)} videos, which are left out, "
            f"such as {unlabelled[0]}"
        )
    return _Folder(items, len(unlabelled), missing)


def _item(path: Path, entry: _Entry) -> SourceVideo:
    return SourceVideo(
        source=path,
        label=entry.label,
        dataset=DfdcReader.name,
        video=path.stem,
        split=entry.split,
        original=entry.original,
    )


def _read_metadata(file: Path) -> dict[str, _Entry]:
    """A training part's list; `split` and `original` may be absent."""
    entries = {}
    for name, named in read_json_labels(file).items():
        original = named.fields.get("original")
        of_fake = named.label == Label.FAKE and isinstance(original, str)
        entries[name] = _Entry(
            named.label,
            split=named.split("split", SPLITS, where=f"{file}: {name}") or "train",
            original=PurePosixPath(listed_path(str(original))).stem if of_fake else None,
        )
    return entries


def _read_labels(file: Path) -> dict[str, _Entry]:
    """The list of the test videos."""
    entries: dict[str, _Entry] = {}
    try:
        text = decode_text(file.read_bytes(), errors="surrogateescape")
    except TextFileError as error:
        raise DatasetError(f"{file}: {error.text}", hint=error.hint) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not {"filename", "label"} <= set(reader.fieldnames or ()):
        raise DatasetError(f"{file}: expected the header filename,label, got {','.join(reader.fieldnames or ())!r}")
    for row in reader:
        name, label = listed_path(row["filename"] or ""), row["label"]
        if label not in ("0", "1"):
            raise DatasetError(f"{file}:{reader.line_num}: label must be 0 (real) or 1 (fake), got {label!r}")
        if name in entries:
            raise DatasetError(
                f"{file}:{reader.line_num}: names {name} twice", hint="restore the file that came with it"
            )
        entries[name] = _Entry(Label(int(label)), split=TEST)
    return entries
