"""Class balance: counts of reals and fakes, and shortcuts that separate the classes without showing the forgery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from realface.core.labels import Label
from realface.manifest.leaks import split_order
from realface.manifest.manifest import Manifest

MOST_OF_ONE_CLASS = 20
"""A split gets a note if one class has more than this many times the rows of the other class."""
SHOWN = 3


@dataclass(frozen=True)
class ClassCount:
    """The crops of one class in a split.

    Attributes:
        crops: rows.
        videos: different videos; a row without a video counts as one.
    """

    crops: int = 0
    videos: int = 0


def count_classes(manifest: Manifest) -> dict[str | None, dict[Label, ClassCount]]:
    """Return the counts per split and label; splits in the order train, val, test, further splits, None."""
    columns = manifest.columns
    table = pa.table({"split": columns["split"], "label": columns["label"], "video": manifest.video_key_column()})
    grouped = table.group_by(["split", "label"]).aggregate([([], "count_all"), ("video", "count_distinct")])
    counts: dict[str | None, dict[Label, ClassCount]] = {}
    for row in grouped.to_pylist():
        of_split = counts.setdefault(row["split"], {label: ClassCount() for label in Label})
        of_split[Label(row["label"])] = ClassCount(row["count_all"], row["video_count_distinct"])
    return dict(sorted(counts.items(), key=lambda item: (item[0] is None, split_order(item[0] or ""))))


def balance_notes(manifest: Manifest) -> list[str]:
    """Return notes on splits with few or no samples of a class, and on columns that separate reals from fakes."""
    counts = count_classes(manifest)
    notes = [note for split, classes in counts.items() for note in _of_split(split, classes)]
    if "train" in counts:
        notes += _shortcuts(manifest.filter(split="train"))
    return notes


def _of_split(split: str | None, classes: Mapping[Label, ClassCount]) -> Iterator[str]:
    few, many = sorted(classes, key=lambda label: classes[label].crops)
    fewer, more = classes[few].crops, classes[many].crops
    if split is None:
        if not fewer:
            yield f"the rows without a split contain no {few.word} faces"
    elif not fewer:
        yield f"split {split} has no {few.word} faces; most metrics need both"
    elif more > MOST_OF_ONE_CLASS * fewer:
        yield f"split {split} has {more / fewer:.0f} {many.word} faces for every {few.word} one ({more:,} to {fewer:,})"


def _shortcuts(manifest: Manifest) -> Iterator[str]:
    """Yield properties that are unrelated to the forgery but have no value in common between reals and fakes."""
    columns = manifest.columns
    formats = pc.utf8_lower(
        pc.extract_regex(columns["path"], r"(?P<suffix>\.[^./]+)$").combine_chunks().field("suffix")
    )
    values = {"data set": columns["dataset"], "compression": columns["compression"], "file format": formats}
    for what, column in values.items():
        reals, fakes = (
            sorted(column.filter(pc.equal(columns["label"], label)).drop_null().unique().to_pylist()) for label in Label
        )
        if reals and fakes and not set(reals) & set(fakes):
            yield (
                f"in split train the {what} separates reals ({_listed(reals)}) from fakes ({_listed(fakes)}), "
                "so a detector may learn this difference instead of the forgery"
            )


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(values[:SHOWN]) + more
