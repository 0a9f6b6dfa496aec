import pytest
from pydantic import ValidationError

from realface.models.rffr.config import MaeConfig, RffrConfig, most_blocks, num_blocks_per_side

SMALL = {"size": "tiny", "input_size": 64, "patch_size": 8}
VIT = "vit_tiny_patch16_224"


def test_masking_that_hides_everything_is_refused():
    with pytest.raises(ValidationError, match="`mask_ratio` leaves none of 64 patches visible"):
        MaeConfig(size="tiny", input_size=64, patch_size=8, mask_ratio=0.999)


def test_the_defaults_are_the_papers():
    config = RffrConfig()
    assert (config.mae.size, config.mae.input_size, config.mae.patch_size) == ("base", 224, 16)
    assert (config.mae.masking, config.mae.mask_ratio, config.mae.norm_pix) == ("random", 0.75, False)
    assert (config.mae.pixel_mean, config.mae.pixel_std) == ((0, 0, 0), (1, 1, 1))
    assert (config.branch, config.block_probability, config.released_indexing) == ("vit_base_patch16_224", 0.25, False)
    assert (config.residual.mode, config.residual.outer_ring, config.residual.amplification) == ("exact", False, 4)


@pytest.mark.parametrize(("side", "blocks"), [(5, 1), (7, 1), (8, 2), (10, 2), (14, 4)])
def test_blocks_stand_between_the_first_and_the_last_patch(side, blocks):
    assert num_blocks_per_side(side) == blocks


# from the worst offset, 3: blocks of 3 from patch 3, 7, ... that end within the side
@pytest.mark.parametrize(("side", "blocks"), [(5, 1), (6, 1), (9, 1), (10, 4), (13, 4), (14, 9)])
def test_the_most_blocks_are_those_that_fit_whatever_the_offset(side, blocks):
    assert most_blocks(side) == blocks


@pytest.mark.parametrize(("input_size", "patch_size"), [(60, 8), (32, 8)])
def test_a_size_without_whole_patches_or_room_for_a_block_is_refused(input_size, patch_size):
    expected = (
        f"`input_size` must be a multiple of `patch_size`, and at least 5 patches, got {input_size} and {patch_size}"
    )
    with pytest.raises(ValidationError, match=expected):
        MaeConfig(input_size=input_size, patch_size=patch_size)


def test_more_hidden_blocks_than_can_stand_apart_are_refused():
    expected = (
        "`blocks_per_image` must be at most 1, which is how many of the blocks of 8 x 8 patches never touch, got 2"
    )
    with pytest.raises(ValidationError, match=expected):
        MaeConfig(**SMALL, masking="block", blocks_per_image=2)


def test_the_number_of_hidden_blocks_does_not_matter_to_random_masking():
    assert MaeConfig(**SMALL, blocks_per_image=99).masking == "random"


@pytest.mark.parametrize("ratio", [0, 1])
def test_hiding_nothing_or_everything_is_refused(ratio):
    with pytest.raises(ValidationError, match="mask_ratio"):
        MaeConfig(mask_ratio=ratio)


@pytest.mark.parametrize("mae", [SMALL, MaeConfig(**SMALL)])
def test_the_detectors_input_size_is_its_maes(mae):
    assert RffrConfig(mae=mae).input_size == 64


def test_a_detector_without_a_named_size_has_the_maes_default():
    assert RffrConfig(mae={"size": "tiny"}).input_size == 224


def test_another_input_size_than_the_maes_is_refused():
    with pytest.raises(ValidationError, match="`input_size` must be the MAE's, 64, got 96; leave it out"):
        RffrConfig(mae=SMALL, input_size=96)


@pytest.mark.parametrize("mae", [None, 3, "base", [1]])
def test_an_mae_that_is_no_section_is_refused_by_its_place(mae):
    with pytest.raises(ValidationError) as refusal:
        RffrConfig(mae=mae)
    assert [fault["loc"] for fault in refusal.value.errors()] == [("mae",)]


def test_a_misspelt_branch_is_refused_with_the_likely_one():
    with pytest.raises(ValidationError, match="did you mean vit_tiny_patch16_224"):
        RffrConfig(branch="vit_tiny_patch16_22")


def test_more_blocks_than_there_are_are_refused():
    with pytest.raises(ValidationError, match="`blocks_per_image` must be at most 4, got 5"):
        RffrConfig(mae=SMALL, blocks_per_image=5)


def test_a_number_of_blocks_of_unequal_size_is_refused():
    expected = "`blocks_per_image` needs blocks of one size, which those of `outer_ring` are not"
    with pytest.raises(ValidationError, match=expected):
        RffrConfig(mae=SMALL, blocks_per_image=1, residual={"outer_ring": True})


def test_the_releases_indexing_is_refused_with_the_outer_ring():
    expected = "`released_indexing` reads one patch further to the right, which the outer ring has not"
    with pytest.raises(ValidationError, match=expected):
        RffrConfig(mae=SMALL, released_indexing=True, residual={"outer_ring": True})


def test_the_releases_indexing_is_refused_with_a_branch_that_has_registers():
    expected = (
        "`released_indexing` counts one token before the patches, but vit_small_patch14_reg4_dinov2 has 5, its class "
        "token and registers; leave released_indexing out, or take a branch without, such as vit_base_patch16_224"
    )
    with pytest.raises(ValidationError, match=expected):
        RffrConfig(mae=SMALL, branch="vit_small_patch14_reg4_dinov2", released_indexing=True)
    assert RffrConfig(mae=SMALL, branch="vit_small_patch14_reg4_dinov2").branch.endswith("dinov2")


@pytest.mark.parametrize("branch", [VIT, "mae"])
def test_the_releases_indexing_goes_with_branches_that_have_a_class_token_alone(branch):
    assert RffrConfig(mae=SMALL, branch=branch, released_indexing=True).released_indexing


def test_a_config_comes_back_from_an_artifacts_json():
    config = RffrConfig(mae=SMALL, branch=VIT, blocks_per_image=2)
    assert RffrConfig(**config.model_dump(mode="json")) == config
