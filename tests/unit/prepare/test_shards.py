from pathlib import Path

import pytest

from realface.core.errors import PrepareError
from realface.core.labels import Label
from realface.prepare.shards import Shard, all_shards, originals_of, part_of


def test_a_shard_is_written_as_a_fraction():
    assert Shard.parse("2/8") == Shard(2, 8)
    assert (str(Shard(2, 8)), Shard(2, 8).name) == ("2/8", "2-of-8")


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/2/3", "1.5/2"])
def test_another_text_is_refused_with_an_example(text):
    with pytest.raises(PrepareError, match=r"--shard: expected i/N with i from 1 to N, such as 1/4"):
        Shard.parse(text)


@pytest.fixture
def items(make_item):
    """Three reals and their fakes, of which one's original is not here; one real is of another compression."""
    real = {"label": Label.REAL, "method": None, "original": None}
    return [
        make_item(Path("a.mp4"), video="a", **real),
        make_item(Path("b.mp4"), video="b", **real),
        make_item(Path("c.mp4"), video="c", compression="c40", **real),
        make_item(Path("a_b.mp4"), video="a_b", original="a"),
        make_item(Path("b_a.mp4"), video="b_a", original="b"),
        make_item(Path("b_a.mp4"), video="b_a", original="b", method="Other"),
        make_item(Path("c_a.mp4"), video="c_a", original="c"),
        make_item(Path("z_a.mp4"), video="z_a", original="z"),
    ]


def test_originals_are_of_the_same_data_set_and_compression(items):
    assert originals_of(items) == {3: 0, 4: 1, 5: 1}


@pytest.mark.parametrize("total", [1, 2, 3, 8, 20])
def test_shards_together_have_every_item_once_and_a_fake_goes_with_its_original(items, total):
    originals = originals_of(items)
    parts = [part_of(shard, len(items), originals) for shard in all_shards(total)]
    assert sorted(index for part in parts for index in part) == list(range(len(items)))
    assert all((fake in part) == (real in part) for part in parts for fake, real in originals.items())


def test_shards_are_of_like_size(items):
    parts = [part_of(shard, 90, {}) for shard in all_shards(4)]
    assert [len(part) for part in parts] == [23, 23, 22, 22]
