"""What a reader of a data set's folder gives, and what it must be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from realface.core.labels import Label


@dataclass(frozen=True)
class SourceItem:
    """One video or picture of a data set, before faces are cut out of it; or face crops of one, as the set has them.

    Attributes:
        source: the file, below the data set's root; of face crops also a folder or a tar of them.
        label: real or fake.
        dataset: the data set's name.
        split: train, val or test; None where the data set does not say.
        method: how the fake was made; None for reals, and where unknown.
        compression: such as c23; None where the data set has no such levels.
        video: the video's name within dataset, method and compression.
        identities: the persons, the face's own first; empty where unknown.
        original: `video` of the real counterpart of a fake; None where unknown.
        mask: the picture or video of what was manipulated.
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
class Scan:
    """What a layout found.

    Attributes:
        root: the data set's folder.
        layout: the layout's name.
        items: every file that is used, in natural order.
        counts: how many of each kind were found, and how many were left out and why.
        missing: one line each for what should be there and is not, or is there and could not be used.
        are_crops: whether the data set comes as face crops, which are taken as they are: their spec is `external`.
        companions: files that belong to the data set and are no items: lists, metadata, masks. A folder stands for
            everything below it.
        notes: one line each for a choice of the reader that the user should know.
        left_out: number of files below `root` that are neither items nor companions, by kind: `images`, `videos`, and
            other files by suffix. Filled in by `registry.scan_folder`.
    """

    root: Path
    layout: str
    items: list[SourceItem]
    counts: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    are_crops: bool = False
    companions: frozenset[Path] = frozenset()
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


class Layout(Protocol):
    """A reader of one way to lay out a data set. It never guesses a label."""

    name: str

    def recognise(self, root: Path) -> list[str]:
        """What `root` lacks to have this layout; empty when it has it. Quick: no walk through all files."""

    def scan(self, root: Path) -> Scan:
        """Find every file.

        Raises:
            LayoutError: what is there contradicts itself.
            UnreadableFolderError: a folder cannot be listed.
        """
