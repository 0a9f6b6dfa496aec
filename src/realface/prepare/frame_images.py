"""Choose the images of videos stored as one image per frame, and describe them in the manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from realface.datasets.reader import SourceVideo
from realface.media.frames import spread_indices
from realface.prepare.record import ItemRecord


def spread_frame_images(items: Sequence[SourceVideo], *, count: int) -> list[SourceVideo]:
    """Return the items without those frame images that are more than `count` of one video.

    The images that stay are spread evenly over the frame numbers' order, as frames of a video file are. All other items
    stay, in their order.
    """
    videos: defaultdict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if item.frame is not None:
            videos[item.dataset, item.method, item.compression, item.video].append(index)
    dropped: set[int] = set()
    for indices in videos.values():
        indices.sort(key=lambda index: items[index].frame or 0)
        dropped |= set(indices) - {indices[position] for position in spread_indices(len(indices), count)}
    return [item for index, item in enumerate(items) if index not in dropped]


def with_frame_number(record: ItemRecord, item: SourceVideo) -> ItemRecord:
    """Return the record with the frame number of an image in its video; the time of such a frame is unknown."""
    if item.frame is None:
        return record
    return replace(record, rows=[{**row, "frame": item.frame, "time_s": None} for row in record.rows])
