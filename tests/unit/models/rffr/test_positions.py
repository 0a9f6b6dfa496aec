import math

import pytest
import torch

from realface.models.rffr.positions import position_table


def test_the_class_token_stands_first_and_has_no_place():
    table = position_table(8, 3)
    assert table.shape == (1, 10, 8)
    assert table.dtype == torch.float32
    assert not table[0, 0].any()


def test_a_patch_has_the_sines_and_cosines_of_its_column_then_those_of_its_row():
    # width 8: two frequencies, 10,000^0 = 1 and 10,000^(-1/2) = 0.01; patch 5 of 3 x 3 is row 1, column 2
    expected = [
        *(math.sin(2), math.sin(0.02), math.cos(2), math.cos(0.02)),
        *(math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)),
    ]
    assert position_table(8, 3)[0, 1 + 5].tolist() == pytest.approx(expected, abs=1e-7)


def test_patches_of_a_column_share_the_first_half_and_those_of_a_row_the_second():
    grid = position_table(16, 4)[0, 1:].reshape(4, 4, 16)
    assert (grid[:, :, :8] == grid[:1, :, :8]).all()
    assert (grid[:, :, 8:] == grid[:, :1, 8:]).all()
    assert len(grid[0].unique(dim=0)) == len(grid[:, 0].unique(dim=0)) == 4
