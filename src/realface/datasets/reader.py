"""The interface of a dataset's reader: from a folder to an inventory of labelled videos and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from realface.core.labels import Label


@dataclass(frozen=True)
class SourceVideo:
    """One video or image of a dataset before cropping, or a sequence of face crops if the dataset contains crops.

    Attributes:
        source: the file, below the dataset's root; for face crops also a folder or a tar.
        label: real or fake.
        dataset: the dataset's name.
        split: train, val or test; None if the dataset has no split for it.
        method: the manipulation method; None for reals, or if unknown.
        compression: compression level, such as c23; None if the dataset has no levels.
        video: the video's name within dataset, method and compression.
        identities: the identities, starting with the face's own; empty if unknown.
        original: for a fake, the `video` it was made from; None if unknown.
        mask: the image or video that marks the manipulated pixels.
        spans: first and last frame, from 0, of each part of a video to which the label applies, such as the fake part
            of an otherwise real video. Empty: the whole video.
        frame: frame number of an image that is a frame of `video`; None for a video or a separate image.
    """

    source: Path
    label: Label
    dataset: str
    video: str
    split: str | None = None
    method: str | None = None
    compression: str | None = None
    identities: tuple[str, ...] = ()
    original: str | None = None
    mask: Path | None = None
    spans: tuple[tuple[int, int], ...] = ()
    frame: int | None = None


@dataclass(frozen=True)
class Inventory:
    """The files of a dataset that a reader found.

    Attributes:
        root: the dataset's folder.
        dataset: the dataset's name, as in `--dataset NAME`.
        items: all files that are used, in natural order.
        counts: number of files found, by kind, and of files skipped, by reason.
        missing: one line for each expected file or folder that is missing or unusable.
        are_crops: whether the dataset contains face crops; these are copied unchanged and have the spec `unknown`.
        companions: files that belong to the dataset but are not items: lists, metadata, masks. A folder includes all
            files below it.
        notes: one line for each choice of the reader that the user should know.
        left_out: number of files below `root` that are neither items nor companions, by kind: `images`, `videos`, and
            other files by suffix. Filled in by `registry.scan_dataset`.
    """

    root: Path
    dataset: str
    items: list[SourceVideo]
    counts: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    are_crops: bool = False
    companions: frozenset[Path] = frozenset()
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


class DatasetReader(Protocol):
    """The reader of one dataset, in the folders of its release. It never guesses a label."""

    name: str

    def list_missing(self, root: Path) -> list[str]:
        """Return what is missing in `root` for this dataset; empty if nothing is. Quick: it does not walk all files."""

    def scan(self, root: Path) -> Inventory:
        """Find every file.

        Raises:
            DatasetError: the files contradict each other.
            UnreadableFolderError: a folder cannot be listed.
        """
