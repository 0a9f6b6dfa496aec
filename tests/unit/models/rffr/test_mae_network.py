import numpy as np
import pytest
import safetensors.torch
import torch
from scipy.ndimage import uniform_filter

from realface.core.errors import ArtifactError, ModelInputError, TrainingError
from realface.models.rffr import mae_network as module
from realface.models.rffr.config import MaeConfig
from realface.models.rffr.mae_network import RffrMae, fit_statistics, inpainting_errors, load_mae_weights
from realface.models.rffr.residual import ResidualOutput, inpaint

IMAGENET = {"pixel_mean": (0.485, 0.456, 0.406), "pixel_std": (0.229, 0.224, 0.225)}
CLOSE = {"atol": 1e-9, "rtol": 0}
"""Of float64, which tells another result from another order of its sums on every CPU."""
SHARES = {"abs": 1e-9, "rel": 2**-23}
"""Of a mean over patches in float64, whose weights are float32 numbers, each right to 2**-24."""
INNER = slice(8, 56)
"""Rows and columns of the pixels that the blocks of 8 x 8 patches of 8 pixels cover."""


def network(**settings):
    torch.manual_seed(0)
    mae = RffrMae(MaeConfig(**{"size": "tiny", "input_size": 64, "patch_size": 8, **settings}))
    mae.mae.blocks, mae.mae.decoder_blocks = mae.mae.blocks[:2], mae.mae.decoder_blocks[:2]  # more would repeat
    return mae.eval()


def small(**settings):
    """With one block, in a single pass."""
    return network(**{"input_size": 40, **settings})


def images(count=2, size=64, seed=0, dtype=torch.float32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)).to(dtype)


def doubles(*arguments, **settings):
    """The same images in float64."""
    return images(*arguments, **settings, dtype=torch.float64)


def fitted(mae):
    fit_statistics(mae, [images(20, mae.config.input_size, seed=1)])
    return mae


@torch.no_grad()
def test_a_face_is_judged_by_its_residual():
    mae = fitted(network(residual={"amplification": 2.0}))
    output = mae(images())
    inpainted = inpaint(mae.mae, images(), mae.grid)
    assert isinstance(output, ResidualOutput)
    assert torch.equal(output.residual, (2 * (inpainted - images())).clamp(-1, 1))
    assert torch.equal(output.reconstruction, inpainted.clamp(0, 1))
    assert torch.equal(output.error_map[:, 0], output.residual.abs().mean(1))
    assert torch.equal(output.logit, mae.statistics.logit(mae.differences(images(), inpainted)))
    assert output.attention is None


def test_an_mae_that_was_not_fitted_has_no_score():
    expected = (
        "this MAE has no score: its residuals of real faces are not known; train it, or import it with --reals MANIFEST"
    )
    with pytest.raises(ModelInputError, match=expected):
        network()(images())


def test_an_mae_of_normalised_pixels_has_no_score():
    with pytest.raises(ModelInputError, match="scoring faces: this MAE was trained with per-patch normalised targets"):
        network(norm_pix=True)(images())


def test_images_of_another_size_are_refused():
    with pytest.raises(ModelInputError, match="this MAE of RFFR was built for images of 40 x 40, got 64 x 64"):
        fitted(small())(images())


@torch.no_grad()
def test_scores_have_full_precision_under_half_precision():
    mae = fitted(network())
    inpainted = images() + torch.linspace(0, 0.1, 64)
    expected = mae.differences(images(), inpainted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(mae.differences(images(), inpainted), expected)
        assert mae(images()).logit.dtype == torch.float32


@torch.no_grad()
def test_an_even_difference_is_coarse_and_a_chequered_one_fine():
    # grain of 1 pixel: of 9 pixels one is left over, of 81 too
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    grain = 0.1 - 0.2 * ((rows + columns) % 2).double()
    mae = network().double()
    even, chequered = (mae.differences(doubles(1), doubles(1) + part)[0] for part in (0.2, grain))
    assert even.tolist() == pytest.approx([0] * 4 + [0.2] * 4, **SHARES)
    assert chequered.tolist() == pytest.approx([0.1 * 8 / 9] * 4 + [0.1 / 81] * 4, **SHARES)


@pytest.mark.parametrize("outer_ring", [False, True])
@torch.no_grad()
def test_differences_are_averaged_over_the_pixels_that_a_block_owns(outer_ring):
    mae = network(residual={"outer_ring": outer_ring}).double()
    difference = 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pixels = difference[0].numpy()
    inside = uniform_filter(np.ones((64, 64)), 3, mode="constant")  # less than 1 along the edges
    fine = pixels - np.stack([uniform_filter(colour, 3, mode="constant") / inside for colour in pixels])
    coarse = np.stack([uniform_filter(colour, 9, mode="constant") for colour in pixels])
    expected = [_mean_over(part, block.owned) for part in (fine, coarse) for block in mae.grid.blocks]
    assert mae.differences(doubles(1), doubles(1) + difference)[0].tolist() == pytest.approx(expected, **SHARES)


def _mean_over(difference, patches):
    squares = [np.s_[:, 8 * (patch // 8) :, 8 * (patch % 8) :] for patch in patches]
    return np.mean([np.abs(difference[square][:, :8, :8]) for square in squares])


@pytest.mark.parametrize("settings", [{}, IMAGENET, {"residual": {"mode": "fast"}}])
@torch.no_grad()
def test_the_inpainting_error_is_the_mean_square_over_the_blocks_in_units_of_the_image(settings):
    mae = network(**settings).double()
    difference = inpaint(mae.mae, doubles(), mae.grid, mode=mae.config.residual.mode) - doubles()
    expected = difference[:, :, INNER, INNER].square().mean((1, 2, 3))
    torch.testing.assert_close(inpainting_errors(mae, doubles()), expected, **CLOSE)


@pytest.mark.parametrize("masking", ["random", "block"])
@torch.no_grad()
def test_errors_of_normalised_pixels_are_finite_and_those_of_the_face_alone(masking):
    mae = small(norm_pix=True, masking=masking, blocks_per_image=1).double()
    image, state = doubles(5, 40), torch.get_rng_state()
    errors = inpainting_errors(mae, image)
    assert errors.shape == (5,)
    assert errors.isfinite().all()
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(inpainting_errors(mae, image.flip(0)).flip(0), errors, **CLOSE)
    torch.testing.assert_close(inpainting_errors(mae, image[3:4]), errors[3:4], **CLOSE)


def test_the_target_is_the_hidden_patches_in_the_range_that_the_mae_works_on():
    image, hidden = doubles(1, 40), torch.tensor([[6, 24]])
    target = small(pixel_mean=(0.5, 0.5, 0.5), pixel_std=(0.5, 0.5, 0.5)).target(image, hidden)
    corner = (2 * image - 1)[0, :, 32:, 32:].permute(1, 2, 0).flatten()
    torch.testing.assert_close(target[0, 1], corner, **CLOSE)


def test_normalised_targets_have_a_mean_of_0_and_a_deviation_of_1():
    target = small(norm_pix=True, **IMAGENET).target(doubles(2, 40), torch.tensor([[6, 24, 0]] * 2))
    torch.testing.assert_close(target.mean(2), torch.zeros(2, 3).double(), **CLOSE)
    torch.testing.assert_close(target.std(2), torch.ones(2, 3).double(), atol=1e-6, rtol=0)  # 1e-6 joins the variance


@pytest.mark.parametrize("count", [0, 19])
def test_too_few_real_faces_make_no_score(count):
    mae = small()
    batches = [images(count, 40)] if count else []
    expected = f"the score of real faces needs at least 20 of them that were held back, got {count}; validate on more"
    with pytest.raises(TrainingError, match=expected):
        fit_statistics(mae, batches)
    assert mae.statistics.num_faces == 0


def test_an_mae_of_normalised_pixels_is_left_without_score():
    mae = small(norm_pix=True)
    assert fit_statistics(mae, [images(20, 40)]) == {}
    assert mae.statistics.num_faces == 0


def test_the_score_does_not_depend_on_how_real_faces_come_in_batches():
    reals, (one, several) = doubles(20, 40), (small().double(), small().double())
    assert fit_statistics(one, [reals])["fitted_on_faces"] == 20
    assert fit_statistics(several, reals.split(7))["fitted_on_faces"] == 20
    with torch.no_grad():
        torch.testing.assert_close(several(reals).score, one(reals).score, **CLOSE)


def test_faces_unlike_the_real_ones_score_higher():
    mae = small()
    plain = 0.5 + 0.05 * (images(40, 40) - 0.5)  # what is even is inpainted alike
    fit_statistics(mae, [plain[:30]])
    with torch.no_grad():
        assert mae(images(10, 40)).score.min() > mae(plain[30:]).score.median()


def test_the_fast_residual_is_compared_with_the_exact_one(monkeypatch):
    monkeypatch.setattr(module, "COMPARED_FACES", 3)
    monkeypatch.setattr(module, "FEWEST_FACES", 4)
    mae, reals = network(residual={"amplification": 0.5}).double(), doubles(4)
    measured = fit_statistics(mae, reals.split(2))["fast_residual"]
    with torch.no_grad():
        exact, fast = (
            (0.5 * (inpaint(mae.mae, reals[:3], mae.grid, mode=mode) - reals[:3])).clamp(-1, 1)[:, :, INNER, INNER]
            for mode in ("exact", "fast")
        )
    assert measured == {
        "faces": 3,
        "mean_absolute_difference": pytest.approx((fast - exact).abs().mean().item(), abs=1e-9),
        "largest_difference": pytest.approx((fast - exact).abs().max().item(), abs=1e-9),
        "mean_absolute_residual": pytest.approx(exact.abs().mean().item(), abs=1e-9),
    }


def test_an_mae_comes_back_from_its_state_dict_with_its_score():
    mae = fitted(small())
    loaded = small()
    loaded.load_state_dict(mae.state_dict())
    with torch.no_grad():
        assert torch.equal(loaded(images(2, 40)).logit, mae(images(2, 40)).logit)


def other_weights():
    return {name: value + 1 for name, value in small().state_dict().items()}


def write(path, layout):
    weights = other_weights()
    mae = {name.removeprefix("mae."): value for name, value in weights.items() if name.startswith("mae.")}
    if layout == "artifact":
        safetensors.torch.save_file(weights, path)
    elif layout == "of RFFR":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in mae.items()}}, path)
    else:
        torch.save({"model": mae} if layout == "under model" else mae, path)
    return path


@pytest.mark.parametrize(
    ("name", "layout"),
    [("mae.pth", "bare"), ("mae.pth", "under model"), ("mae.pth.tar", "of RFFR"), ("model.safetensors", "artifact")],
)
def test_the_autoencoder_starts_from_a_file_in_any_layout(name, layout, tmp_path):
    mae = small()
    load_mae_weights(mae, write(tmp_path / name, layout))
    expected = other_weights()
    loaded = mae.mae.state_dict()
    assert all(torch.equal(value, expected[f"mae.{name}"]) for name, value in loaded.items())
    assert mae.statistics.num_faces == 0


def is_of_decoder(name):
    return name.startswith("decoder_") or name == "mask_token"


def test_an_encoder_alone_leaves_the_decoder_its_random_start_which_is_told(tmp_path, capsys):
    weights = {name.removeprefix("mae."): value for name, value in other_weights().items() if name.startswith("mae.")}
    file = tmp_path / "mae_pretrain_vit.pth"
    torch.save({"model": {name: value for name, value in weights.items() if not is_of_decoder(name)}}, file)
    mae = small()
    before = {name: value.clone() for name, value in mae.mae.state_dict().items()}
    load_mae_weights(mae, file)
    for name, value in mae.mae.state_dict().items():
        assert torch.equal(value, (before if is_of_decoder(name) else weights)[name]), name
    told = f"realface: {file} holds an encoder alone; the decoder starts from random weights\n"
    assert capsys.readouterr().err == told


def test_nothing_is_told_of_a_file_with_a_decoder(tmp_path, capsys):
    load_mae_weights(small(), write(tmp_path / "mae.pth", "bare"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kept", [["mask_token"], ["decoder_embed.weight", "decoder_embed.bias"]])
def test_half_a_decoder_is_refused_by_the_names_that_are_missing(kept, tmp_path):
    weights = small().mae.state_dict()
    torch.save(
        {name: value for name, value in weights.items() if name in kept or not is_of_decoder(name)},
        tmp_path / "mae.pth",
    )
    expected = r"mae.pth does not fit MaskedAutoencoder: missing .*decoder_blocks.0.norm1.weight"
    with pytest.raises(ArtifactError, match=expected):
        load_mae_weights(small(), tmp_path / "mae.pth")


def test_tables_of_places_of_another_grid_are_ours(tmp_path):
    source, mae = network(), small()
    with torch.no_grad():
        source.mae.cls_token += 1
    tables = {name: mae.mae.state_dict()[name].clone() for name in ("pos_embed", "decoder_pos_embed")}
    torch.save(source.mae.state_dict(), tmp_path / "mae.pth")  # of 8 x 8 patches instead of 5 x 5
    load_mae_weights(mae, tmp_path / "mae.pth")
    expected = source.mae.state_dict() | tables
    assert all(torch.equal(value, expected[name]) for name, value in mae.mae.state_dict().items())


def test_weights_of_another_size_are_refused(tmp_path):
    torch.save(network(input_size=80, patch_size=16).mae.state_dict(), tmp_path / "mae.pth")
    expected = (
        r"mae.pth does not fit MaskedAutoencoder: patch_embed.proj.weight must have shape \(192, 3, 8, 8\), "
        r"got \(192, 3, 16, 16\)"
    )
    with pytest.raises(ArtifactError, match=expected):
        load_mae_weights(small(), tmp_path / "mae.pth")


def test_a_table_of_another_width_is_refused(tmp_path):
    weights = small().mae.state_dict() | {"pos_embed": torch.zeros(1, 26, 384)}
    torch.save(weights, tmp_path / "mae.pth")
    expected = r"mae.pth does not fit MaskedAutoencoder: pos_embed must have shape \(1, 26, 192\), got \(1, 26, 384\)"
    with pytest.raises(ArtifactError, match=expected):
        load_mae_weights(small(), tmp_path / "mae.pth")
