import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from realface.models.rffr.blocks import Block, BlockGrid, block_patches, draw_blocks, draw_common_blocks, draw_masks
from realface.models.rffr.config import MaeConfig

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


NUM_DRAWS = 400


def config(side=8, **settings):
    return MaeConfig(size="tiny", input_size=8 * side, patch_size=8, **settings)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawers():
    """(name, what is drawn with a generator)."""
    spread = config(14, masking="block", blocks_per_image=3)
    return {
        "random": lambda generator: torch.cat(draw_masks(config(), 3, generator=generator), dim=1),
        "block": lambda generator: torch.cat(draw_masks(spread, 3, generator=generator), dim=1),
        "common": lambda generator: draw_common_blocks(16, 3, probability=0.5, generator=generator),
        "per image": lambda generator: draw_blocks(16, 3, count=5, generator=generator),
    }


@pytest.mark.parametrize("masking", ["random", "block"])
def test_every_patch_is_either_visible_or_hidden(masking):
    visible, hidden = draw_masks(config(14, masking=masking), 5, generator=seeded())
    together = torch.cat([visible, hidden], dim=1).sort(dim=1).values
    assert torch.equal(together, torch.arange(196).expand(5, -1))


def test_random_masking_hides_three_quarters():
    visible, hidden = draw_masks(config(14), 2, generator=seeded())
    assert visible.shape == (2, 49)
    assert hidden.shape == (2, 147)


def test_random_masking_hides_each_patch_equally_often():
    _, hidden = draw_masks(config(5, mask_ratio=0.4), NUM_DRAWS, generator=seeded())
    counts = hidden.flatten().bincount(minlength=25)
    assert hidden.shape == (NUM_DRAWS, 10)
    assert (counts - 0.4 * NUM_DRAWS).abs().max() < 5 * (NUM_DRAWS * 0.4 * 0.6) ** 0.5


@pytest.mark.parametrize(("side", "count"), [(5, 1), (6, 1), (8, 1), (10, 4), (14, 9)])
def test_block_masking_hides_blocks_that_lie_inside_and_do_not_touch(side, count):
    _, hidden = draw_masks(config(side, masking="block", blocks_per_image=count), 50, generator=seeded())
    assert hidden.shape == (50, 9 * count)
    for row in hidden.tolist():
        blocks = [row[start : start + 9] for start in range(0, len(row), 9)]
        corners = [divmod(block[0], side) for block in blocks]
        for block, corner in zip(blocks, corners, strict=True):
            assert tuple(block) == block_patches(*corner, side=side)
            assert max(corner) <= side - 3
        for (top, left), (other_top, other_left) in itertools.combinations(corners, 2):
            assert max(abs(top - other_top), abs(left - other_left)) >= 4


@pytest.mark.parametrize("side", [5, 6, 8, 14])
def test_block_masking_can_hide_every_patch(side):
    _, hidden = draw_masks(config(side, masking="block", blocks_per_image=1), NUM_DRAWS, generator=seeded())
    assert set(hidden.flatten().tolist()) == set(range(side**2))


def test_images_of_a_batch_are_masked_differently():
    for masking in ("random", "block"):
        _, hidden = draw_masks(config(14, masking=masking), 2, generator=seeded())
        assert not torch.equal(*hidden)


@pytest.mark.parametrize("name", drawers())
def test_a_given_generator_is_all_that_a_draw_depends_on_and_uses(name):
    draw = drawers()[name]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = draw(seeded())
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(draw(seeded()), first)
    assert not torch.equal(draw(seeded(3)), first)


@pytest.mark.parametrize("name", drawers())
def test_without_a_generator_torchs_global_one_is_used(name):
    draw = drawers()[name]
    torch.manual_seed(5)
    first = draw(None)
    torch.manual_seed(5)
    assert torch.equal(draw(None), first)


def test_common_blocks_are_the_same_in_every_image():
    drawn = draw_common_blocks(16, 4, probability=0.25, generator=seeded())
    assert drawn.shape == (4, 16)
    assert drawn.dtype == torch.bool
    assert (drawn == drawn[0]).all()


def test_common_blocks_are_drawn_with_the_given_probability():
    generator = seeded()
    draws = torch.stack([draw_common_blocks(16, 1, probability=0.25, generator=generator)[0] for _ in range(1000)])
    partial = draws[~draws.all(1)]
    assert partial.float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_where_no_common_block_is_drawn_all_are_used():
    assert draw_common_blocks(16, 2, probability=1e-9, generator=seeded()).all()


def test_blocks_of_each_image_are_as_many_as_asked_for_and_differ():
    drawn = draw_blocks(16, 50, count=3, generator=seeded())
    assert (drawn.sum(1) == 3).all()
    assert drawn.any(0).all()
    assert len(drawn.unique(dim=0)) > 10


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_masks(config(masking="random"), 2)[1],
        lambda: draw_masks(config(masking="block", blocks_per_image=1), 2)[1],
        lambda: draw_blocks(4, 2, count=1),
        lambda: draw_common_blocks(4, 2, probability=0.5),
    ],
)
def test_compiled_steps_draw_what_others_draw(draw):
    compiled = []

    def keep(graph, _):
        compiled.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    torch.manual_seed(0)
    expected = draw() * 2
    torch.manual_seed(0)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(lambda: draw() * 2, backend=keep)(), expected)
    assert not any("rand" in name for name in compiled)  # which has another stream in compiled code
