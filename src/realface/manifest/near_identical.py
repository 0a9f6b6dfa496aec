"""Crops in different splits that show the same image, although their bytes differ.

Each image becomes a hash of 242 bits: whether it gets brighter from one place to the next, along 11 rows and along 11
columns. A copy differs in few bits. The table shows the share of copies of 6,276 real images (LFW, FFHQ, CelebA-HQ),
cropped to the face with a margin of 0.3 or uncropped, that differ in at most 21 bits (`MAX_DISTANCE`):

    copy                          cut        whole
    JPEG of quality 75            100 %      100 %
    JPEG of quality 50            100 %      99.98 %
    half the size                 99.98 %    100 %
    brighter by 10 %              99.97 %    99.8 %
    cut to 98 % of each side      99.9 %     99.8 %
    cut to 96 % of each side      54 %       51 %

Four of the 19.7 million pairs of different files are that close, cropped or uncropped. Each of the four is a
photograph stored twice, in two cases under the names of two people. The next closest pair shows one person on one
occasion and differs in 22 bits cropped and 34 bits uncropped. At 21 bits a DCT hash of 256 bits finds 83 % to 87 % of
the images cut to 98 %, and a mean hash of 256 bits matches 981 pairs of cropped images.

Of the pairs of these face crops, 0.5 % are compared bit by bit; see `close_hashes`. 640,000 hashes of 20,000 videos
take half a minute on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from realface.manifest.close_hashes import HASH_BYTES, MAX_DISTANCE, Integers, close_pairs, distances
from realface.manifest.leaks import split_order
from realface.manifest.manifest import Manifest

_SIDE = 11
_LEAST_CONTRAST = 2.0  # of 255, standard deviation; real face crops have 20 and more
_CROPS_AT_ONCE = 64


@dataclass(frozen=True)
class NearIdentical:
    """Two videos, or two images without a video, in different splits that look the same.

    Attributes:
        rows: row numbers, from 0, of the two most similar crops, in the order of their splits (train, val, test).
        similar_rows: row numbers of all crops of either video that look like a crop of the other video, ascending.
    """

    rows: tuple[int, int]
    similar_rows: tuple[int, ...]


def image_hash(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the perceptual hash of an image; None for an image of a single colour, whose bits would be noise.

    Args:
        image: (H, W, 3) RGB.

    Returns:
        (32,) uint8; only the first 242 bits are used.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    wide = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    high = cv2.resize(grey, (_SIDE, _SIDE + 1), interpolation=cv2.INTER_AREA)
    if wide.std() < _LEAST_CONTRAST:
        return None
    packed = np.packbits(np.concatenate([(wide[:, 1:] > wide[:, :-1]).ravel(), (high[1:] > high[:-1]).ravel()]))
    return np.pad(packed, (0, HASH_BYTES - len(packed)))


def find_near_identical(
    manifest: Manifest, hashes: NDArray[np.uint8], *, has_hash: NDArray[np.bool_]
) -> list[NearIdentical]:
    """Return videos and images in different splits that look the same, in the order of their rows.

    Pairs that `find_leaks` reports are excluded: a fake and its original, two fakes of one original, the same bytes.
    If many crops look the same, each is reported with one partner and not with every partner.

    Args:
        manifest: the crops; rows without a split are ignored.
        hashes: (rows, 32) uint8, from `image_hash`.
        has_hash: (rows,) whether the hash is valid.
    """
    splits = _split_numbers(manifest)
    rows = np.flatnonzero(has_hash & (splits >= 0))
    splits, hashes = splits[rows], hashes[rows]
    if len(np.unique(splits)) < 2:
        return []
    names = _Names.of(manifest.take(rows))
    of_video = _Groups.of(names.video)
    found = []
    for one, other in _linked_videos(hashes, splits, names):
        closest, similar = _compared(hashes, of_video.members(one), of_video.members(other))
        found.append(NearIdentical((int(rows[closest[0]]), int(rows[closest[1]])), tuple(rows[similar].tolist())))
    return sorted(found, key=lambda pair: (pair.similar_rows, pair.rows))


@dataclass(frozen=True)
class _Names:
    """Numbers in place of names, -1 for none.

    Attributes:
        video: (n,) the video, another in every split.
        shown: (n, 2) the video and its original as `find_leaks` compares them, for all methods and splits.
        content: (n,) the file's SHA-256.
    """

    video: Integers
    shown: Integers
    content: Integers

    @classmethod
    def of(cls, manifest: Manifest) -> _Names:
        columns = manifest.columns
        video = _numbers(pc.binary_join_element_wise(manifest.video_key_column(), columns["split"], "\n"))
        dataset = columns["dataset"].fill_null("")
        shown = [
            pc.binary_join_element_wise(dataset, name, "\n")
            for name in (pc.coalesce(columns["video"], columns["source"], columns["path"]), columns["original"])
        ]
        both = _numbers(pa.chunked_array([chunk for column in shown for chunk in column.chunks], pa.string()))
        return cls(video, both.reshape(2, -1).T, _numbers(columns["sha256"]))

    def are_leaks(self, first: Integers, second: Integers) -> NDArray[np.bool_]:
        """Return (pairs,) true if `find_leaks` reports these two crops of different splits."""
        ours, theirs = self.shown[first][:, :, None], self.shown[second][:, None, :]
        of_one_video = ((ours == theirs) & (ours >= 0)).any((1, 2))
        content = self.content[first]
        return np.asarray(of_one_video | ((content == self.content[second]) & (content >= 0)))


@dataclass(frozen=True)
class _Groups:
    """Positions grouped by equal numbers.

    Attributes:
        order: (n,) the positions, group after group.
        starts: (groups + 1,) start of each group in `order`, and the end of the last group.
    """

    order: Integers
    starts: Integers

    @classmethod
    def of(cls, *keys: NDArray[np.generic]) -> _Groups:
        """Places that are equal in all of these (n,) arrays; groups are sorted by the last, then the one before it."""
        order = np.lexsort(keys)
        is_new = np.zeros(len(order), np.bool_)
        for key in keys:
            is_new[1:] |= key[order][1:] != key[order][:-1]
        return cls(order, np.concatenate([[0], np.flatnonzero(is_new), [len(order)]]))

    def members(self, group: int) -> Integers:
        """Return the positions of one group, ascending."""
        return self.order[self.starts[group] : self.starts[group + 1]]


def _linked_videos(hashes: NDArray[np.uint8], splits: Integers, names: _Names) -> set[tuple[int, int]]:
    """Return pairs of videos that look the same; each similar crop links its video with at most one video.

    Crops of a split with the same hash are compared as one, so thousands of copies of an image cost one comparison.
    """
    looks = _Groups.of(splits, *hashes.view(np.uint64).T)
    shown = looks.order[looks.starts[:-1]]  # a crop of each look
    is_alone = np.diff(looks.starts) == 1
    is_linked, is_done = np.zeros(len(hashes), np.bool_), np.zeros(len(shown), np.bool_)
    linked: set[tuple[int, int]] = set()
    for first, second in close_pairs(hashes[shown], splits[shown]):
        is_known = is_alone[first] & is_alone[second] & names.are_leaks(shown[first], shown[second])
        first, second = first[~is_known], second[~is_known]
        chosen = np.concatenate([_first_of_each(first, ~is_done), _first_of_each(second, ~is_done)])
        for pair in np.unique(chosen).tolist():
            ours, theirs = looks.members(first[pair]), looks.members(second[pair])
            for crop, other in [*_partners(ours, theirs, is_linked, names), *_partners(theirs, ours, is_linked, names)]:
                is_linked[[crop, other]] = True
                one, two = sorted((crop, other), key=lambda place: splits[place])
                linked.add((int(names.video[one]), int(names.video[two])))
            is_done[first[pair]], is_done[second[pair]] = is_linked[ours].all(), is_linked[theirs].all()
    return linked


def _first_of_each(looks: Integers, wanted: NDArray[np.bool_]) -> Integers:
    """Return the position of the first occurrence of each wanted value in `looks`."""
    places = np.flatnonzero(wanted[looks])
    return np.asarray(places[np.unique(looks[places], return_index=True)[1]])


def _partners(
    crops: Integers, others: Integers, is_linked: NDArray[np.bool_], names: _Names
) -> Iterator[tuple[int, int]]:
    """Yield for each unlinked crop the first crop of `others` that does not form a known leak with the crop."""
    for crop in crops[~is_linked[crops]].tolist():
        for start in range(0, len(others), _CROPS_AT_ONCE):
            some = others[start : start + _CROPS_AT_ONCE]
            unknown = some[~names.are_leaks(np.full(len(some), crop), some)]
            if len(unknown):
                yield crop, int(unknown[0])
                break


def _compared(hashes: NDArray[np.uint8], first: Integers, second: Integers) -> tuple[tuple[int, int], Integers]:
    """Return the two most similar crops of two videos, and all crops that look like a crop of the other video."""
    closest, smallest = (int(first[0]), int(second[0])), MAX_DISTANCE + 1
    similar = []
    for start in range(0, len(first), _CROPS_AT_ONCE):
        part = first[start : start + _CROPS_AT_ONCE]
        apart = distances(hashes[part][:, None], hashes[second])
        row, column = np.unravel_index(apart.argmin(), apart.shape)
        if apart[row, column] < smallest:
            closest, smallest = (int(part[row]), int(second[column])), int(apart[row, column])
        is_close = apart <= MAX_DISTANCE
        similar += [part[is_close.any(1)], second[is_close.any(0)]]
    return closest, np.unique(np.concatenate(similar))


def _split_numbers(manifest: Manifest) -> Integers:
    """(rows,), the split's place among the manifest's as `split_order` sorts them; -1 without."""
    column = manifest.columns["split"]
    in_order = sorted(column.drop_null().unique().to_pylist(), key=split_order)
    return _places(column, pa.array(in_order, pa.string()))


def _numbers(column: pa.ChunkedArray) -> Integers:
    """(rows,), a number for each different text; -1 for null."""
    return _places(column, column.drop_null().unique())


def _places(column: pa.ChunkedArray, among: pa.Array) -> Integers:
    return np.asarray(pc.index_in(column, value_set=among).fill_null(-1), np.int64)
