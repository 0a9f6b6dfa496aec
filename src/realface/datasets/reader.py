"""The interface of a dataset's reader: from a folder to an inventory of labelled videos and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from realface.core.labels import Label


@dataclass(frozen=True)
class SourceVideo:
    """One video or image of a data set, before faces are cut out of it; or face crops of one, as the set has them.

    Attributes:
        source: the file, below the data set's root; of face crops also a folder or a tar of them.
        label: real or fake.
        dataset: the data set's name.
        split: train, val or test; None where the data set does not say.
        method: how the fake was made; None for reals, and where unknown.
        compression: such as c23; None where the data set has no such levels.
        video: the video's name within dataset, method and compression.
        identities: the identities, the face's own first; empty where unknown.
        original: for a fake, the `video` it was made from; None where unknown.
        mask: the image or video of what was manipulated.
        spans: first and last frame, counted from 0, of each part of a video to which the label belongs; the whole of it
            when empty. A forged part of an otherwise real video is one.
        frame: of an image that is a frame of `video`: its number; None for a video, and for an image of its own.
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
        root: the data set's folder.
        dataset: the dataset's name, as in `--dataset NAME`.
        items: every file that is used, in natural order.
        counts: how many of each kind were found, and how many were left out and why.
        missing: one line each for what should be there and is not, or is there and could not be used.
        are_crops: whether the data set comes as face crops, which are taken as they are: their spec is `external`.
        companions: files that belong to the data set and are no items: lists, metadata, masks. A folder stands for
            everything below it.
        notes: one line each for a choice of the reader that the user should know.
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
            DatasetError: what is there contradicts itself.
            UnreadableFolderError: a folder cannot be listed.
        """
