import math

import pytest
import torch
from timm.models.vision_transformer import Block

from realface.core.errors import ModelInputError
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae import SIZES, MaskedAutoencoder, last_tokens, position_table

IMAGENET = {"pixel_mean": (0.485, 0.456, 0.406), "pixel_std": (0.229, 0.224, 0.225)}
VISIBLE = [patch for patch in range(25) if patch not in (6, 12, 24)]
CLOSE = {"atol": 1e-9, "rtol": 0}
"""Of float64, which tells another result from another order of its sums on every CPU."""


def autoencoder(**settings):
    torch.manual_seed(0)
    return MaskedAutoencoder(MaeConfig(**{"size": "tiny", "input_size": 40, "patch_size": 8, **settings})).eval()


def images(count=1, size=40):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@torch.no_grad()
def predicted(mae, image, visible, hidden):
    rows = (torch.tensor(patches).expand(len(image), -1) for patches in (visible, hidden))
    return mae.predict(mae.embed(image), *rows)


def test_parameters_and_buffers_have_the_names_of_maes_release():
    block = [
        f"{part}.{kind}"
        for part in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
        for kind in ("weight", "bias")
    ]
    ends = ("patch_embed.proj", "norm", "decoder_embed", "decoder_norm", "decoder_pred")
    expected = {"cls_token", "pos_embed", "mask_token", "decoder_pos_embed"}
    expected |= {f"{part}.{kind}" for part in ends for kind in ("weight", "bias")}
    size = SIZES["tiny"]
    expected |= {f"blocks.{number}.{name}" for number in range(size.depth) for name in block}
    expected |= {f"decoder_blocks.{number}.{name}" for number in range(size.decoder_depth) for name in block}
    assert set(autoencoder().state_dict()) == expected


def test_the_places_of_patches_are_not_trained():
    mae = autoencoder()
    assert not {"pos_embed", "decoder_pos_embed"} & {name for name, _ in mae.named_parameters()}
    assert torch.equal(mae.pos_embed, position_table(192, 5))
    assert torch.equal(mae.decoder_pos_embed, position_table(128, 5))


def test_linear_layers_and_the_patches_projection_start_uniform_after_xavier():
    mae = autoencoder()
    for weight, inputs, outputs in [
        (mae.patch_embed.proj.weight, 3 * 8 * 8, 192),
        (mae.blocks[0].attn.qkv.weight, 192, 3 * 192),
        (mae.decoder_pred.weight, 128, 3 * 8 * 8),
    ]:
        bound = math.sqrt(6 / (inputs + outputs))
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert not any(value.any() for name, value in mae.named_parameters() if name.endswith(".bias"))


def test_tokens_start_with_a_deviation_of_a_fiftieth():
    mae = autoencoder(size="small")
    assert mae.cls_token.std().item() == pytest.approx(0.02, rel=0.2)
    assert mae.mask_token.std().item() == pytest.approx(0.02, rel=0.2)


def test_a_patchs_pixels_are_ordered_by_row_column_and_colour():
    # the value of a pixel says where it is: 1000 x row + 10 x column + colour
    row, column = torch.arange(40)[:, None] * 1000.0, torch.arange(40) * 10.0
    image = torch.stack([row + column + colour for colour in range(3)])[None]
    patches = autoencoder().to_patches(image)
    assert patches.shape == (1, 25, 192)
    assert patches[0, 6, :6].tolist() == [8080, 8081, 8082, 8090, 8091, 8092]  # patch 6 is row 1, column 1
    assert patches[0, 6, 24] == 9080  # 8 columns of 3 colours further on


def test_patches_become_the_image_again():
    image = images(2)
    assert torch.equal(autoencoder().to_image(autoencoder().to_patches(image)), image)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_last_tokens_are_those_of_the_whole_block(count):
    torch.manual_seed(0)
    block = Block(32, 4, qkv_bias=True).double()
    tokens = torch.randn(2, 10, 32, dtype=torch.float64)
    torch.testing.assert_close(last_tokens(block, tokens, count=count), block(tokens)[:, -count:], atol=1e-12, rtol=0)


def test_hidden_pixels_do_not_change_what_is_predicted():
    mae, image = autoencoder().double(), images()
    other = image.clone()
    other[:, :, 8:16, 8:16] = 0  # patch 6
    assert torch.equal(predicted(mae, image, VISIBLE, [6, 12, 24]), predicted(mae, other, VISIBLE, [6, 12, 24]))


def test_visible_pixels_do():
    mae, image = autoencoder().double(), images()
    other = image.clone()
    other[:, :, 0:8, 0:8] = 0  # patch 0
    assert not torch.allclose(predicted(mae, image, VISIBLE, [6, 12]), predicted(mae, other, VISIBLE, [6, 12]))


def test_patches_can_be_named_in_any_order():
    mae, image = autoencoder().double(), images()
    expected = predicted(mae, image, VISIBLE, [6, 12, 24])
    got = predicted(mae, image, VISIBLE[::-1], [24, 6, 12])
    torch.testing.assert_close(got[:, [1, 2, 0]], expected, **CLOSE)


def test_each_image_has_its_own_visible_patches():
    mae, image = autoencoder().double(), images(2)
    rows = torch.tensor([VISIBLE, [patch for patch in range(25) if patch not in (0, 1, 2)]])
    hidden = torch.tensor([[6, 12, 24], [0, 1, 2]])
    with torch.no_grad():
        together = mae.predict(mae.embed(image), rows, hidden)
    for number in range(2):
        alone = predicted(mae, image[number : number + 1], rows[number].tolist(), hidden[number].tolist())
        torch.testing.assert_close(together[number : number + 1], alone, **CLOSE)


def test_images_are_shown_less_their_mean_by_their_deviation():
    mae = autoencoder(pixel_mean=(0.5, 0.25, 0), pixel_std=(0.5, 0.25, 1))
    assert mae.to_range(torch.ones(1, 3, 40, 40))[0, :, 0, 0].tolist() == [1, 3, 1]


def test_a_prediction_of_the_normalised_image_is_the_image():
    mae, image = autoencoder(**IMAGENET).double(), images(2)
    std, mean = mae.pixel_range(image)
    pixels = mae.to_image(mae.to_patches(mae.to_range(image)) * std + mean)
    torch.testing.assert_close(pixels, image, **CLOSE)


def test_pixels_have_the_configs_range_in_the_precision_of_the_image():
    std, mean = autoencoder(**IMAGENET).double().pixel_range(torch.zeros(1, dtype=torch.float64))
    assert (mean[:6].tolist(), std[:3].tolist()) == ([0.485, 0.456, 0.406] * 2, [0.229, 0.224, 0.225])
    assert mean.shape == std.shape == (3 * 8**2,)


def test_images_of_another_size_are_refused():
    expected = "this MAE of RFFR was built for images of 40 x 40, got 48 x 48; resize them to 40, or train one"
    with pytest.raises(ModelInputError, match=expected):
        autoencoder().embed(images(size=48))


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
