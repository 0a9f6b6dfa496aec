import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realface.models.rffr.blocks import Block, BlockGrid, block_patches

SIDES = st.integers(5, 40)


def block(row, column):
    return Block(row, column, hidden=(), owned=())


def test_a_blocks_patches_are_numbered_row_by_row():
    assert block_patches(1, 2, side=5) == (7, 8, 9, 12, 13, 14, 17, 18, 19)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 1), (3, 3), (-3, 3)])
def test_blocks_with_no_patch_between_them_touch(row, column):
    assert block(5, 5).touches(block(5 + row, 5 + column))


@pytest.mark.parametrize(("row", "column"), [(4, 0), (0, -4), (4, 4), (3, 4)])
def test_blocks_with_a_patch_between_them_do_not_touch(row, column):
    assert not block(5, 5).touches(block(5 + row, 5 + column))


def test_14_x_14_patches_have_the_16_blocks_of_the_paper():
    blocks = BlockGrid.of(14, outer_ring=False).blocks
    assert len(blocks) == 16
    for k, found in enumerate(blocks):
        rows = [3 * (k // 4) + 1 + i for i in range(3)]
        columns = [3 * (k % 4) + 1 + i for i in range(3)]
        assert found.hidden == found.owned == tuple(14 * row + column for row in rows for column in columns)


def test_the_outer_ring_of_14_x_14_patches_takes_16_more_blocks():
    assert len(BlockGrid.of(14, outer_ring=True).blocks) == 32


@pytest.mark.parametrize(("side", "per_side", "first"), [(5, 1, 1), (6, 1, 1), (7, 1, 2), (8, 2, 1), (10, 2, 2)])
def test_blocks_stand_in_the_middle(side, per_side, first):
    blocks = BlockGrid.of(side, outer_ring=False).blocks
    assert len(blocks) == per_side**2
    assert (blocks[0].row, blocks[0].column) == (first, first)


@given(side=SIDES, outer_ring=st.booleans())
def test_no_patch_is_owned_twice_and_each_only_by_a_block_that_hides_it(side, outer_ring):
    grid = BlockGrid.of(side, outer_ring=outer_ring)
    assert len(grid.patches()) == len(set(grid.patches()))
    assert all(set(found.owned) <= set(found.hidden) and found.owned for found in grid.blocks)


@given(side=SIDES)
def test_the_outer_ring_covers_every_patch_and_leaves_the_inner_blocks_as_they_are(side):
    inner, whole = (BlockGrid.of(side, outer_ring=outer_ring) for outer_ring in (False, True))
    assert sorted(whole.patches()) == list(range(side**2))
    assert whole.blocks[: len(inner.blocks)] == inner.blocks


@given(side=SIDES)
def test_without_the_outer_ring_no_patch_on_an_edge_is_hidden(side):
    for patch in BlockGrid.of(side, outer_ring=False).patches():
        assert 0 < patch // side < side - 1
        assert 0 < patch % side < side - 1


@given(side=SIDES, outer_ring=st.booleans())
def test_exact_passes_hide_one_block_each(side, outer_ring):
    grid = BlockGrid.of(side, outer_ring=outer_ring)
    assert grid.passes("exact") == tuple((number,) for number in range(len(grid.blocks)))


@given(side=SIDES, outer_ring=st.booleans())
def test_fast_passes_hide_every_block_once_and_none_beside_another(side, outer_ring):
    grid = BlockGrid.of(side, outer_ring=outer_ring)
    passes = grid.passes("fast")
    assert sorted(itertools.chain(*passes)) == list(range(len(grid.blocks)))
    for group in passes:
        places = [(grid.blocks[number].row, grid.blocks[number].column) for number in group]
        for (row, column), (other_row, other_column) in itertools.combinations(places, 2):
            assert max(abs(row - other_row), abs(column - other_column)) >= 4


@given(side=SIDES)
def test_at_most_four_fast_passes_cover_the_inner_blocks_and_the_ring_changes_none_of_them(side):
    inner, whole = (BlockGrid.of(side, outer_ring=outer_ring).passes("fast") for outer_ring in (False, True))
    assert len(inner) <= 4
    assert whole[: len(inner)] == inner


def test_the_fast_passes_of_the_paper_are_every_second_block_both_ways():
    expected = ((0, 2, 8, 10), (1, 3, 9, 11), (4, 6, 12, 14), (5, 7, 13, 15))
    assert BlockGrid.of(14, outer_ring=False).passes("fast") == expected


def test_the_patches_of_some_blocks_stand_block_by_block_in_the_order_asked_for():
    grid = BlockGrid.of(8, outer_ring=False)
    assert grid.patches([3, 0]) == block_patches(4, 4, side=8) + block_patches(1, 1, side=8)
