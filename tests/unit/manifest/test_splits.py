import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realface.core.errors import ManifestError
from realface.manifest.leaks import find_leaks
from realface.manifest.manifest import Manifest
from realface.manifest.splits import deal_identities, split_again, split_by_identity


def pairs_study(num_pairs, frames=2):
    """FaceForensics++ in small: each pair of people gives two reals and two fakes."""
    rows = []
    for pair in range(num_pairs):
        a, b = f"{2 * pair:03}", f"{2 * pair + 1:03}"
        videos = [(a, 0, [a], None), (b, 0, [b], None), (f"{a}_{b}", 1, [a, b], a), (f"{b}_{a}", 1, [b, a], b)]
        for video, label, identities, original in videos:
            rows += [
                {"path": f"{video}/{frame}.png", "label": label, "video": video, "identities": identities}
                | {"original": original, "dataset": "ff"}
                for frame in range(frames)
            ]
    return Manifest.from_rows(rows, root="crops")


def singles(num_real, num_fake):
    rows = [{"path": f"{i}.png", "label": int(i >= num_real), "video": f"v{i}"} for i in range(num_real + num_fake)]
    return Manifest.from_rows(rows, root="crops")


def videos_of(manifest, split):
    return len(set(manifest.filter(split=split).video_keys()))


def test_ten_pairs_are_dealt_eight_one_one_and_stay_whole():
    split = split_by_identity(pairs_study(10), seed=0)
    assert [videos_of(split, name) for name in ("train", "val", "test")] == [32, 4, 4]
    assert find_leaks(split) == []
    assert split.column("path") == pairs_study(10).column("path")


def test_the_same_seed_gives_the_same_split_and_another_another():
    study = pairs_study(20)
    first = split_by_identity(study, seed=1).column("split")
    assert split_by_identity(study, seed=1).column("split") == first
    assert split_by_identity(study, seed=2).column("split") != first


def test_every_split_gets_both_classes_where_there_are_enough_groups():
    split = split_by_identity(singles(num_real=50, num_fake=3), seed=3)
    for name in ("train", "val", "test"):
        assert set(split.filter(split=name).labels) == {0, 1}


def test_no_split_is_empty_even_when_a_class_is_short():
    split = split_by_identity(singles(num_real=2, num_fake=1), seed=0)
    assert sorted(split.column("split")) == ["test", "train", "val"]


def test_identities_of_two_datasets_do_not_hang_together():
    rows = [{"path": f"{name}.png", "label": 0, "dataset": name, "identities": ["1"]} for name in "ab"]
    split = split_by_identity(Manifest.from_rows(rows, root="."), {"train": 0.5, "test": 0.5}, seed=0)
    assert sorted(split.column("split")) == ["test", "train"]


def test_fewer_groups_than_splits_are_refused():
    with pytest.raises(ManifestError, match="1 groups of connected videos and identities cannot fill 3 splits"):
        split_by_identity(pairs_study(1), seed=0)
    with pytest.raises(ManifestError, match="0 groups"):
        split_by_identity(singles(0, 0), seed=0)


@pytest.mark.parametrize("fractions", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}, {"train": np.nan}])
def test_fractions_must_add_up_to_one(fractions):
    with pytest.raises(ManifestError, match=r"fractions of splits must be positive and add up to 1, got \{"):
        split_by_identity(pairs_study(3), fractions, seed=0)


def test_a_fraction_of_zero_gets_nothing():
    split = split_by_identity(pairs_study(4), {"train": 0.5, "val": 0, "test": 0.5}, seed=0)
    assert [videos_of(split, name) for name in ("train", "val", "test")] == [8, 0, 8]


identity = st.sampled_from("abcdefgh")


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("uvwxyz"), st.lists(identity, max_size=2), st.booleans()), min_size=1))
def test_no_split_ever_leaks(rows):
    manifest = Manifest.from_rows(
        [
            {"path": f"{i}.png", "label": int(fake), "video": video, "identities": identities}
            for i, (video, identities, fake) in enumerate(rows)
        ],
        root=".",
    )
    num_groups = len(groups_of(rows))
    if num_groups < 2:
        with pytest.raises(ManifestError, match="cannot fill 2 splits"):
            split_by_identity(manifest, {"train": 0.5, "test": 0.5}, seed=0)
    else:
        split = split_by_identity(manifest, {"train": 0.5, "test": 0.5}, seed=0)
        assert find_leaks(split) == []
        assert set(split.column("split")) == {"train", "test"}


def groups_of(rows):
    """Groups of names that hang together, merged one row after the other: the plain way, as an oracle."""
    groups = []
    for video, identities, _ in rows:
        names = {video, *(f"identity {name}" for name in identities)}
        touched = [group for group in groups if group & names]
        groups = [group for group in groups if not group & names] + [names.union(*touched)]
    return groups


def test_where_everybody_was_swapped_with_everybody_only_videos_can_be_kept_apart():
    """Celeb-DF in small: four people, two videos of each, and fakes of every pair."""
    people = ["id0", "id1", "id2", "id3"]
    rows = [
        {"path": f"{one}_{take}.png", "label": 0, "video": f"{one}_{take}", "identities": [one]}
        for one in people
        for take in range(2)
    ]
    rows += [
        {"path": f"{a}_{b}.png", "label": 1, "video": f"{a}_{b}_0", "original": f"{a}_0", "identities": [a, b]}
        for a in people
        for b in people
        if a != b
    ]
    study = Manifest.from_rows(rows, root="crops")
    with pytest.raises(ManifestError, match=r"1 groups of .* or allow people in several splits \(--by video\)"):
        split_by_identity(study, {"train": 0.5, "test": 0.5}, seed=0)
    split = split_by_identity(study, {"train": 0.5, "test": 0.5}, seed=0, identity_disjoint=False)
    assert {leak.kind for leak in find_leaks(split)} == {"identity"}


def test_a_part_of_one_split_is_held_back_and_the_others_stay():
    study = pairs_study(20)
    before = ["test" if int(video[:3]) >= 30 else "train" for video in study.column("video")]
    study = study.with_column("split", before)
    split = split_again(study, "train", {"train": 0.8, "val": 0.2}, seed=0)
    assert [was == "test" for was in before] == [now == "test" for now in split.column("split")]
    assert [videos_of(split, name) for name in ("train", "val", "test")] == [48, 12, 20]
    assert find_leaks(split) == []


@pytest.mark.parametrize(
    ("of", "fractions", "text"),
    [
        ("extra", {"extra": 0.5, "val": 0.5}, "no row is of the split 'extra'; there are train, test"),
        ("train", {"train": 0.5, "test": 0.5}, "the split 'test' has rows already, which keep it"),
    ],
)
def test_a_split_that_is_not_there_or_would_be_mixed_is_refused(of, fractions, text):
    study = singles(3, 3).with_column("split", ["train"] * 4 + ["test"] * 2)
    with pytest.raises(ManifestError, match=text):
        split_again(study, of, fractions, seed=0)


def test_the_sequences_of_one_tar_stay_together():
    rows = [
        {"path": f"{tar}/{sequence}.png", "label": tar % 2, "video": f"{tar}/{sequence}", "source": f"{tar}.tar.gz"}
        for tar in range(8)
        for sequence in range(3)
    ]
    split = split_by_identity(Manifest.from_rows(rows, root="crops"), {"train": 0.5, "val": 0.5}, seed=0)
    splits_of_tar = {tar: set() for tar in split.column("source")}
    for tar, name in zip(split.column("source"), split.column("split"), strict=True):
        splits_of_tar[tar].add(name)
    assert all(len(names) == 1 for names in splits_of_tar.values())


def faces_of(sources):
    """(source, people) -> a manifest with three images of each identity."""
    rows = [
        {"path": f"{source}-{identity}-{image}.png", "label": 0, "dataset": source, "identities": [str(identity)]}
        for source, people in sources.items()
        for identity in range(people)
        for image in range(3)
    ]
    return Manifest.from_rows(rows, root="/faces")


def people_by_split(manifest):
    people = {}
    for source, names, split in zip(
        manifest.column("dataset"), manifest.column("identities"), manifest.column("split"), strict=True
    ):
        people.setdefault(split, set()).add((source, names[0]))
    return people


def test_identities_are_dealt_by_share_with_every_source_in_each_split():
    dealt = people_by_split(deal_identities(faces_of({"a": 40, "b": 20}), val_share=0.15, test_share=0.15, seed=0))
    assert {name: len(people) for name, people in dealt.items()} == {"train": 42, "val": 9, "test": 9}
    assert all({source for source, _ in people} == {"a", "b"} for people in dealt.values())
    assert not dealt["train"] & dealt["val"] | dealt["train"] & dealt["test"] | dealt["val"] & dealt["test"]


def test_six_identities_are_two_for_each_split():
    dealt = people_by_split(deal_identities(faces_of({"a": 6}), val_share=0.1, test_share=0.1, seed=0))
    assert {name: len(people) for name, people in dealt.items()} == {"train": 2, "val": 2, "test": 2}


def test_dealing_depends_on_the_seed():
    first, second, other = (
        deal_identities(faces_of({"a": 30}), val_share=0.2, test_share=0.2, seed=seed).column("split")
        for seed in (0, 0, 1)
    )
    assert first == second != other


def test_five_identities_cannot_be_dealt():
    with pytest.raises(ManifestError, match=r"5 identities cannot be split .*; add faces of at least 1 more people"):
        deal_identities(faces_of({"a": 5}), val_share=0.1, test_share=0.1, seed=0)
