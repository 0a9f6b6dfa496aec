import copy

import numpy as np
import pytest
import torch

from realface.models.rffr.blocks import BlockGrid, block_patches
from realface.models.rffr.config import MaeConfig, ResidualSection
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.sheets import draw_corner, inpaint_all_blocks, inpaint_one_block, validation_sheet

SIDE, PATCH = 8, 8
GRID = BlockGrid.of(SIDE, outer_ring=False)  # 2 x 2 blocks from row and column 1


@pytest.fixture(scope="module")
def mae() -> RffrMae:
    torch.manual_seed(0)
    return RffrMae(MaeConfig(size="tiny", input_size=SIDE * PATCH, patch_size=PATCH)).eval()


@pytest.fixture
def faces() -> torch.Tensor:
    return torch.rand(3, 3, SIDE * PATCH, SIDE * PATCH, generator=torch.Generator().manual_seed(1))


def pixels(row: int, column: int) -> tuple[slice, slice]:
    """Where a block of 3 x 3 patches stands."""
    return slice(row * PATCH, (row + 3) * PATCH), slice(column * PATCH, (column + 3) * PATCH)


class Saying(MaskedAutoencoder):
    """Predicts one brightness for whatever is hidden."""

    def __init__(self, brightness: float) -> None:
        super().__init__(MaeConfig(size="tiny", input_size=SIDE * PATCH, patch_size=PATCH))
        self.brightness = brightness

    def predict(self, tokens: torch.Tensor, visible: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        return torch.full((*hidden.shape, 3 * PATCH**2), self.brightness)


@torch.no_grad()
def test_each_face_has_its_own_block_hidden_and_nothing_else_changes(mae: RffrMae, faces: torch.Tensor) -> None:
    corners = [(1, 2), (0, 5), (1, 2)]
    for (row, column), face in zip(corners, inpaint_one_block(mae.mae, faces, corners), strict=True):
        block = np.zeros(face.face.shape[:2], dtype=bool)
        block[pixels(row, column)] = True
        assert (face.masked[block] == 128).all()
        assert (face.masked[~block] == face.face[~block]).all()
        assert (face.inpainted[~block] == face.face[~block]).all()
        assert (face.difference[~block] == 0).all()


@torch.no_grad()
def test_a_block_is_what_the_mae_predicts_from_all_other_patches(mae: RffrMae, faces: torch.Tensor) -> None:
    hidden = torch.tensor([block_patches(2, 4, side=SIDE)])
    visible = torch.tensor([[patch for patch in range(SIDE**2) if patch not in hidden]])
    predicted = mae.mae.predict(mae.mae.embed(faces[:1]), visible, hidden)
    patches = mae.mae.to_patches(faces[:1]).clone()
    patches[0, hidden[0]] = predicted[0]
    expected = (mae.mae.to_image(patches)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    (face,) = inpaint_one_block(mae.mae, faces[:1], [(2, 4)])
    assert np.abs(face.inpainted.astype(int) - expected.numpy()).max() <= 1


@torch.no_grad()
def test_faces_do_not_depend_on_those_beside_them_nor_on_the_chunk(mae: RffrMae, faces: torch.Tensor) -> None:
    mae, faces = copy.deepcopy(mae.mae).double(), faces.double()
    together = inpaint_one_block(mae, faces, [(1, 2), (0, 5), (1, 2)])
    alone = inpaint_one_block(mae, faces[1:2], [(0, 5)], chunk_size=1)[0]
    assert np.abs(together[1].inpainted.astype(int) - alone.inpainted).max() <= 1
    assert together[1].error == pytest.approx(alone.error, rel=1e-9)


@torch.no_grad()
def test_the_error_is_that_of_the_hidden_part_in_grey_levels() -> None:
    image = torch.full((1, 3, 64, 64), 0.2)
    (face,) = inpaint_one_block(Saying(0.3), image, [(1, 1)])
    assert face.error == pytest.approx(25.5, rel=1e-5)
    assert (face.difference[pixels(1, 1)] == 102).all()  # 4 x 25.5


@torch.no_grad()
def test_what_is_brighter_than_white_counts_as_it_is_shown_and_any_amplification_is_taken() -> None:
    image = torch.full((1, 3, 64, 64), 0.8)
    (face,) = inpaint_all_blocks(Saying(7.0), image, GRID, amplification=2.0)
    assert face.error == pytest.approx(51.0, rel=1e-5)
    assert (face.inpainted[8:56, 8:56] == 255).all()
    assert (face.difference[8:56, 8:56] == 102).all()
    assert (face.difference[:8] == 0).all()


@torch.no_grad()
@pytest.mark.parametrize("outer_ring", [False, True])
def test_all_blocks_are_seen_through_grey_with_lines_between_them(outer_ring: bool) -> None:
    image = torch.zeros(1, 3, 64, 64)
    (face,) = inpaint_all_blocks(Saying(0.0), image, BlockGrid.of(SIDE, outer_ring=outer_ring))
    veil = round(255 * 0.5 * 0.7)
    masked = face.masked[:, :, 0]
    assert (masked[9:32, 9:32] == veil).all()
    assert (masked[32, 9:56] == 0).all()
    assert (masked[33:56, 33:56] == veil).all()
    assert masked[1:8, 1:8].any() == outer_ring


@torch.no_grad()
def test_all_blocks_inpainted_exactly_are_each_block_alone(mae: RffrMae, faces: torch.Tensor) -> None:
    (whole,) = inpaint_all_blocks(mae.mae, faces[:1], GRID)
    for block in GRID.blocks:
        (alone,) = inpaint_one_block(mae.mae, faces[:1], [(block.row, block.column)])
        place = pixels(block.row, block.column)
        assert np.abs(whole.inpainted[place].astype(int) - alone.inpainted[place]).max() <= 1


def test_drawn_blocks_leave_the_outermost_patches_and_come_everywhere_else() -> None:
    generator = np.random.default_rng(0)
    corners = {draw_corner(14, generator) for _ in range(3000)}
    assert corners == {(row, column) for row in range(1, 11) for column in range(1, 11)}


def test_the_smallest_grid_has_one_place_for_a_drawn_block() -> None:
    assert {draw_corner(5, np.random.default_rng(seed)) for seed in range(5)} == {(1, 1)}


def test_the_validation_sheet_has_a_row_of_four_pictures_for_each_face(mae: RffrMae, faces: torch.Tensor) -> None:
    sheet = validation_sheet(mae, faces)
    assert sheet.shape == (3 * 64 + 2 * 4, 4 * 64 + 3 * 4, 3)
    assert (sheet[:64, :64] == (faces[0] * 255).round().byte().permute(1, 2, 0).numpy()).all()


def test_the_validation_sheet_follows_the_configs_residual(faces: torch.Tensor) -> None:
    torch.manual_seed(0)
    section = ResidualSection(outer_ring=True)
    network = RffrMae(MaeConfig(size="tiny", input_size=64, patch_size=PATCH, residual=section)).eval()
    assert validation_sheet(network, faces)[:8, -64:].any(), "the ring of the difference"


def test_an_mae_that_cannot_inpaint_shows_the_faces_alone(faces: torch.Tensor) -> None:
    network = RffrMae(MaeConfig(size="tiny", input_size=64, patch_size=PATCH, norm_pix=True))
    assert validation_sheet(network, faces).shape == (64, 3 * 64 + 2 * 4, 3)
