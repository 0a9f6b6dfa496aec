import pytest

from realface.models.rffr.sizes import SIZES


def test_base_and_large_are_those_of_the_paper():
    base, large = SIZES["base"], SIZES["large"]
    assert (base.width, base.depth, base.num_heads) == (768, 12, 12)
    assert (large.width, large.depth, large.num_heads) == (1024, 24, 16)
    for size in (base, large):
        assert (size.decoder_width, size.decoder_depth, size.decoder_num_heads) == (512, 8, 16)


@pytest.mark.parametrize("name", SIZES)
def test_widths_can_be_split_into_heads_and_into_the_four_parts_of_a_place(name):
    size = SIZES[name]
    assert size.width % size.num_heads == size.decoder_width % size.decoder_num_heads == 0
    assert size.width % 4 == size.decoder_width % 4 == 0
