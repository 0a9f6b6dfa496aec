"""Split a manifest so that no video and no identity appears in two splits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from realface.core.errors import ManifestError
from realface.core.labels import Label
from realface.core.split_names import canonical_split
from realface.manifest.leaks import identity_names, source_names, video_names
from realface.manifest.manifest import Manifest

DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
FEWEST_DEALT = 6
"""Identities that `deal_identities` needs: two for each split."""


def split_again(
    manifest: Manifest, of: str, fractions: Mapping[str, float], *, seed: int, identity_disjoint: bool = True
) -> Manifest:
    """Split only the rows of one split, as `split_by_identity` does.

    Raises:
        ManifestError: no row has that split, a split to deal to has rows already, or as `split_by_identity`.
    """
    of, fractions = canonical_split(of), _canonical(fractions)
    there = manifest.distinct("split")
    if of not in there:
        raise ManifestError(f"no row is of the split {of!r}; there are {', '.join(map(str, there)) or 'none'}")
    if taken := [name for name in fractions if name != of and name in there]:
        raise ManifestError(
            f"the split {taken[0]!r} has rows already, which keep it", hint=f"deal {of!r} out to other names"
        )
    splits = manifest.columns["split"].to_numpy()
    rows = np.flatnonzero(splits == of)
    dealt = split_by_identity(manifest.take(rows), fractions, seed=seed, identity_disjoint=identity_disjoint)
    splits = splits.copy()
    splits[rows] = dealt.columns["split"].to_numpy()
    return manifest.with_column("split", pa.array(splits, pa.string()))


def split_by_identity(
    manifest: Manifest, fractions: Mapping[str, float] | None = None, *, seed: int, identity_disjoint: bool = True
) -> Manifest:
    """Assign a split to every row, keeping connected videos and identities in the same split.

    Rows are connected if they share a video, a source file, an original or an identity of the same dataset, directly
    or through other rows: a swapped pair and both its reals are one group. Whole groups are assigned, the largest
    first, each to the split that is furthest below its share.

    Args:
        manifest: the rows to split; its own `split` column is ignored.
        fractions: share of the videos, by split, in any spelling; they add up to 1. By default 0.8 train, 0.1 val,
            0.1 test. Met as nearly as whole groups allow.
        seed: seed for the order of groups of equal size.
        identity_disjoint: whether rows that share an identity stay in one split. Where few people are swapped with one
            another, as in Celeb-DF, all rows would then be one group.

    Returns:
        The same rows with a new `split` column. Every split has rows, and both classes if there are enough groups.

    Raises:
        ManifestError: invalid fractions, two fractions for one split, or fewer groups than splits.
    """
    fractions = DEFAULT_FRACTIONS if fractions is None else _canonical(fractions)
    wanted = {name: share for name, share in fractions.items() if share != 0}
    shares = np.array(list(wanted.values()), dtype=np.float64)
    if not wanted or not np.isfinite(shares).all() or (shares < 0).any() or not math.isclose(shares.sum(), 1.0):
        raise ManifestError(f"fractions of splits must be positive and add up to 1, got {dict(fractions)}")
    group_of_row = _groups(manifest, identity_disjoint=identity_disjoint)
    videos = _videos_per_class(manifest, group_of_row)
    if len(videos) < len(wanted):
        raise ManifestError(
            f"{len(videos)} groups of connected videos and identities cannot fill {len(wanted)} splits",
            hint="use fewer splits, add videos of other people, or allow people in several splits (--by video)",
        )
    split_of_group = _deal(videos, shares, np.random.default_rng(seed))
    names = np.array(list(wanted), dtype=object)
    return manifest.with_column("split", pa.array(names[split_of_group[group_of_row]], pa.string()))


def deal_identities(manifest: Manifest, *, val_share: float, test_share: float, seed: int) -> Manifest:
    """Split real faces by identity, with every source in each split and at least two identities in validation and test.

    Unlike in `split_by_identity`, the shares count identities, and every split has a partner for each face swap.

    Args:
        manifest: rows with `identities`; the first is the identity of the face, within `dataset`.
        val_share: share of the identities for validation.
        test_share: share of the identities for the test.
        seed: another seed gives another split.

    Returns:
        The same rows with a new `split` column.

    Raises:
        ManifestError: fewer than six identities.
    """
    sources, listed = manifest.column("dataset"), manifest.column("identities")
    of_row = [(source or "", people[0]) for source, people in zip(sources, listed, strict=True)]
    people = list(dict.fromkeys(of_row))
    if len(people) < FEWEST_DEALT:
        raise ManifestError(
            f"{len(people)} identities cannot be split into training, validation and test with two in each",
            hint=f"add faces of at least {FEWEST_DEALT - len(people)} more people",
        )
    ordered = _mixed_by_source(people, np.random.default_rng(seed))
    split_of = dict.fromkeys(people, "train")
    for name, share in (("test", test_share), ("val", val_share)):
        left = [identity for identity in ordered if split_of[identity] == "train"]
        count = max(2, round(share * len(people)))
        for number in range(count):
            split_of[left[int((number + 0.5) * len(left) / count)]] = name
    return manifest.with_column("split", pa.array([split_of[identity] for identity in of_row], pa.string()))


def _mixed_by_source(people: Sequence[tuple[str, str]], rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return the people in an order in which each source is shuffled and evenly spread."""
    placed = []
    for source in dict.fromkeys(source for source, _ in people):
        own = [identity for identity in people if identity[0] == source]
        placed += [((place + 0.5) / len(own), own[index]) for place, index in enumerate(rng.permutation(len(own)))]
    return [identity for _, identity in sorted(placed, key=lambda each: each[0])]


def _canonical(fractions: Mapping[str, float]) -> dict[str, float]:
    """The same shares by the usual names of splits."""
    spelling_of: dict[str, str] = {}
    for spelling in fractions:
        name = canonical_split(spelling)
        if (other := spelling_of.setdefault(name, spelling)) != spelling:
            raise ManifestError(f"fractions: {other} and {spelling} are one split, {name}", hint="give each split once")
    return {name: fractions[spelling] for name, spelling in spelling_of.items()}


def _groups(manifest: Manifest, *, identity_disjoint: bool) -> NDArray[Any]:
    """(rows,), the number of each row's group, from 0: components of the graph of rows and the names they hold."""
    kinds = {"video": video_names(manifest.columns), "source": source_names(manifest.columns)}
    if identity_disjoint:
        kinds["identity"] = identity_names(manifest.columns)
    names = [_names_within_dataset(kind, table) for kind, table in kinds.items()]
    rows = np.concatenate([table["row"].to_numpy() for table in names])
    codes = pa.chunked_array([chunk for table in names for chunk in table["name"].chunks], pa.string())
    name_codes = pc.rank(codes, tiebreaker="dense").to_numpy().astype(np.int64) - 1
    size = len(manifest) + (int(name_codes.max()) + 1 if len(name_codes) else 0)
    links = coo_array((np.ones(len(rows), np.int8), (rows, len(manifest) + name_codes)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    _, group_of_row = np.unique(component[: len(manifest)], return_inverse=True)
    groups: NDArray[Any] = group_of_row
    return groups


def _names_within_dataset(kind: str, names: pa.Table) -> pa.Table:
    """Names that are the same only for the same kind and data set."""
    unique = pc.binary_join_element_wise(kind, names["dataset"].fill_null(""), names["name"], "\0")
    return pa.table({"row": names["row"].cast(pa.int64()), "name": unique})


def _videos_per_class(manifest: Manifest, group_of_row: NDArray[Any]) -> NDArray[np.int64]:
    """Return (groups, 2): the number of real and of fake videos per group."""
    videos = pa.table({"video": manifest.video_key_column(), "group": group_of_row, "label": manifest.labels})
    distinct = videos.group_by(["group", "label", "video"]).aggregate([])
    counts = np.zeros((int(group_of_row.max(initial=-1)) + 1, len(Label)), np.int64)
    np.add.at(counts, (distinct["group"].to_numpy(), distinct["label"].to_numpy()), 1)
    return counts


def _deal(videos: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (groups,) the split of each group.

    Each class is assigned separately, as a share of all its videos, so that a split does not consist of fakes only.
    """
    weight = videos / np.maximum(videos.sum(axis=0), 1)  # (groups, 2), each column adds up to 1
    missing = np.repeat(shares[:, None], videos.shape[1], axis=1)  # (splits, 2), share that each split still misses
    has_class = np.zeros(missing.shape, bool)
    order = rng.permutation(len(videos))
    order = order[np.argsort(-weight[order].sum(axis=1), kind="stable")]
    left = (videos > 0).sum(axis=0)  # groups with each class that are not dealt yet
    split_of_group = np.empty(len(videos), np.int64)
    for num_dealt, group in enumerate(order):
        classes = videos[group] > 0
        is_empty = ~has_class.any(axis=1)
        if len(order) - num_dealt <= is_empty.sum():
            allowed = is_empty
        else:  # the last groups with a class are reserved for splits without that class
            allowed = (~has_class & classes & (left <= (~has_class).sum(axis=0))).any(axis=1)
        need = np.round(missing @ weight[group], 9)  # rounded, so that equal needs are equal and the first split wins
        split = int(np.argmax(np.where(allowed, need, -np.inf) if allowed.any() else need))
        split_of_group[group] = split
        missing[split] -= weight[group]
        has_class[split] |= classes
        left -= classes
    return split_of_group
