import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from realface.core.errors import ArtifactError, ModelInputError
from realface.models.rffr.blocks import BlockGrid
from realface.models.rffr.config import MaeConfig, ResidualSection, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import (
    ResidualSource,
    grid_of,
    inpaint,
    mae_of,
    require_residual_source,
    residual_of,
    residual_source,
)

IMAGENET = {"pixel_mean": (0.485, 0.456, 0.406), "pixel_std": (0.229, 0.224, 0.225)}
PATCH = 4
CLOSE = {"atol": 1e-9, "rtol": 0}


def autoencoder(side=8, **settings):
    torch.manual_seed(0)
    mae = MaskedAutoencoder(MaeConfig(size="tiny", input_size=PATCH * side, patch_size=PATCH, **settings))
    mae.blocks, mae.decoder_blocks = (
        mae.blocks[:2],
        mae.decoder_blocks[:2],
    )  # what is shown here, more would only repeat
    return mae.eval().double()


def images(count, side=8):
    size = PATCH * side
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def grid(side=8, *, outer_ring=False):
    return BlockGrid.of(side, outer_ring=outer_ring)


@torch.no_grad()
def inpainted(mae, image, blocks=None, **settings):
    return inpaint(mae, image, blocks or grid(mae.config.grid_side), **settings)


def area(patches, *, side=8):
    """(S, S) bool: the pixels of some patches."""
    found = torch.zeros(PATCH * side, PATCH * side, dtype=torch.bool)
    for patch in patches:
        row, column = divmod(patch, side)
        found[PATCH * row : PATCH * (row + 1), PATCH * column : PATCH * (column + 1)] = True
    return found


@torch.no_grad()
def naive_inpainting(mae, face, blocks):
    """A pass for each block over the whole sequence in its natural order, as MAE does, and a paste of each patch."""
    side, config = mae.config.grid_side, mae.config
    mean, std = (
        torch.tensor(values, dtype=face.dtype)[:, None, None] for values in (config.pixel_mean, config.pixel_std)
    )
    pasted = face.clone()
    embedded = mae.patch_embed(((face - mean) / std)[None])[0]
    for hidden in blocks:
        visible = [patch for patch in range(side**2) if patch not in hidden]
        tokens = [mae.cls_token[0, 0] + mae.pos_embed[0, 0]]
        tokens += [embedded[patch] + mae.pos_embed[0, 1 + patch] for patch in visible]
        latent = torch.stack(tokens)[None]
        for block in mae.blocks:
            latent = block(latent)
        latent = mae.decoder_embed(mae.norm(latent))[0]
        whole = [latent[0]]
        whole += [
            mae.mask_token[0, 0] if patch in hidden else latent[1 + visible.index(patch)] for patch in range(side**2)
        ]
        decoded = torch.stack(whole)[None] + mae.decoder_pos_embed
        for block in mae.decoder_blocks:
            decoded = block(decoded)
        prediction = mae.decoder_pred(mae.decoder_norm(decoded))[0, 1:]
        for patch in hidden:
            row, column = divmod(patch, side)
            pixels = prediction[patch].reshape(PATCH, PATCH, 3).permute(2, 0, 1) * std + mean
            pasted[:, PATCH * row : PATCH * (row + 1), PATCH * column : PATCH * (column + 1)] = pixels
    return pasted


def paper_blocks():
    return [[14 * (3 * (k // 4) + 1 + i) + 3 * (k % 4) + 1 + j for i in range(3) for j in range(3)] for k in range(16)]


@pytest.mark.parametrize("settings", [{}, IMAGENET])
def test_the_batched_residual_is_that_of_16_single_passes(settings):
    mae, image = autoencoder(14, **settings), images(2, 14)
    expected = torch.stack([naive_inpainting(mae, face, paper_blocks()) for face in image])
    got = inpainted(mae, image)
    torch.testing.assert_close(got, expected, **CLOSE)
    expected_residual = (4 * (expected - image)).clamp(-1, 1)
    torch.testing.assert_close(residual_of(image, got, amplification=4), expected_residual, **CLOSE)


def test_it_is_so_in_float32_but_for_rounding():
    mae, image = autoencoder(14).float(), images(1, 14).float()
    expected = naive_inpainting(mae, image[0], paper_blocks())
    torch.testing.assert_close(inpainted(mae, image)[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("chunk_size", [1, 5, 1000])
def test_the_number_of_passes_at_once_does_not_matter(mode, chunk_size):
    mae, image = autoencoder(), images(3)
    expected = inpainted(mae, image, mode=mode, chunk_size=16)
    torch.testing.assert_close(inpainted(mae, image, mode=mode, chunk_size=chunk_size), expected, **CLOSE)


class Waits(TorchDispatchMode):
    """Counts what makes a processor wait for its GPU: numbers read from it or sent to it, and masks as indices."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        name = operation.overloadpacket.__name__
        is_indexing = name in {"index", "index_put", "index_put_", "_index_put_impl_"}
        has_mask = is_indexing and any(index is not None and index.dtype == torch.bool for index in arguments[1])
        copies = {"nonzero", "masked_select", "_local_scalar_dense", "lift_fresh", "lift_fresh_copy"}
        self.count += has_mask or name in copies
        return operation(*arguments, **(keywords or {}))


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_nothing_waits_for_a_gpu_between_chunks(mode):
    mae, image, used = autoencoder(**IMAGENET), images(3), torch.ones(3, 4, dtype=torch.bool)
    counts = []
    for chunk_size in (1, 1000):
        with Waits() as waits:
            inpainted(mae, image, mode=mode, chunk_size=chunk_size, used=used)
        counts.append(waits.count)
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_neither_does_the_order_of_images(mode):
    mae, image = autoencoder(), images(4)
    order = [2, 0, 3, 1]
    got = inpainted(mae, image[order], mode=mode, chunk_size=5)
    torch.testing.assert_close(got, inpainted(mae, image, mode=mode, chunk_size=5)[order], **CLOSE)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("outer_ring", [False, True])
def test_each_image_has_just_its_used_blocks_inpainted_as_among_all(mode, outer_ring):
    mae, image, blocks = autoencoder(), images(3), grid(outer_ring=outer_ring)
    used = torch.rand(3, len(blocks.blocks), generator=torch.Generator().manual_seed(1)) < 0.4
    whole = inpainted(mae, image, blocks, mode=mode)
    got = inpainted(mae, image, blocks, mode=mode, used=used)
    for number in range(3):
        chosen = used[number].nonzero()[:, 0].tolist()
        expected = torch.where(area(blocks.patches(chosen)), whole[number], image[number])
        torch.testing.assert_close(got[number], expected, **CLOSE)


@pytest.mark.parametrize("side", [8, 11])
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_faces_of_which_no_block_is_used_stay_as_they_are(mode, side):
    # 11 x 11 patches have 9 blocks and fast passes of 4, 2, 2 and 1, of which one block needs a single kind
    mae, image, blocks = autoencoder(side), images(2, side), grid(side)
    used = torch.zeros(2, len(blocks.blocks), dtype=torch.bool)
    assert torch.equal(inpainted(mae, image, mode=mode, used=used), image)
    used[1, 0] = True
    got = inpainted(mae, image, mode=mode, used=used)
    assert torch.equal(got[0], image[0])
    assert not torch.equal(got[1], image[1])


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_the_outer_ring_has_no_residual(mode):
    image = images(2)
    residual = residual_of(image, inpainted(autoencoder(), image, mode=mode), amplification=4)
    size, edge = PATCH * 8, PATCH
    ring = torch.ones(size, size, dtype=torch.bool)
    ring[edge : size - edge, edge : size - edge] = False
    assert not residual[:, :, ring].any()
    assert (residual[:, :, ~ring] != 0).float().mean() > 0.99


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_the_outer_ring_can_be_inpainted_too_and_leaves_the_inner_blocks_as_they_are(mode):
    mae, image = autoencoder(), images(2)
    inner, whole = (inpainted(mae, image, grid(outer_ring=ring), mode=mode) for ring in (False, True))
    covered = area(grid().patches())
    torch.testing.assert_close(whole[:, :, covered], inner[:, :, covered], **CLOSE)
    assert ((whole != image)[:, :, ~covered]).float().mean() > 0.99


def test_a_block_of_the_outer_ring_is_hidden_alone():
    mae, image, blocks = autoencoder(), images(1), grid(outer_ring=True)
    last = blocks.blocks[-1]
    expected = torch.where(area(last.owned), naive_inpainting(mae, image[0], [last.hidden]), image[0])
    used = torch.arange(len(blocks.blocks))[None] == len(blocks.blocks) - 1
    torch.testing.assert_close(inpainted(mae, image, blocks, used=used)[0], expected, **CLOSE)


@pytest.mark.parametrize("side", [5, 7])
def test_fast_is_exact_where_there_is_one_block(side):
    mae, image = autoencoder(side), images(2, side)
    assert torch.equal(inpainted(mae, image, mode="fast"), inpainted(mae, image, mode="exact"))


def test_fast_hides_the_blocks_of_a_pass_together():
    # of 11 x 11 patches' 9 blocks the first pass hides the four at the corners
    mae, image, blocks = autoencoder(11), images(1, 11), grid(11)
    corners = [blocks.blocks[number].hidden for number in (0, 2, 6, 8)]
    together = naive_inpainting(mae, image[0], [[patch for hidden in corners for patch in hidden]])
    shown = area([patch for hidden in corners for patch in hidden], side=11)
    torch.testing.assert_close(inpainted(mae, image, mode="fast")[0][:, shown], together[:, shown], **CLOSE)


@pytest.mark.parametrize("settings", [{}, IMAGENET])
def test_an_mae_that_predicts_the_face_reproduces_it(settings, monkeypatch):
    mae, image = autoencoder(**settings), images(1)
    wanted = mae.to_patches(mae.to_range(image))[0]
    monkeypatch.setattr(mae, "predict", lambda tokens, visible, hidden: wanted[hidden])
    torch.testing.assert_close(inpainted(mae, image), image, **CLOSE)


def test_inpainting_is_not_clamped_and_changes_no_argument():
    mae, image = autoencoder(), images(1)
    mae.decoder_pred.bias.data += 3
    before = image.clone()
    assert inpainted(mae, image).max() > 2
    assert torch.equal(image, before)


def test_pixels_keep_their_precision_under_half_precision():
    mae, image = autoencoder().float(), images(1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = inpainted(mae, image)
    assert got.dtype == torch.float32
    assert torch.equal(got[:, :, :PATCH], image[:, :, :PATCH])
    torch.testing.assert_close(got, inpainted(mae, image), atol=0.09, rtol=0)


def test_the_residual_is_the_amplified_difference_within_1():
    image, pasted = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.6, -3.0, 9.0])
    assert residual_of(image, pasted, amplification=4).tolist() == pytest.approx([0.4, -1, 1])


def test_a_sections_grid_covers_the_outer_ring_if_it_says_so():
    config = MaeConfig(size="tiny", input_size=32, patch_size=4)
    assert grid_of(config, ResidualSection()) is grid()
    assert grid_of(config, ResidualSection(outer_ring=True)) is grid(outer_ring=True)


NO_SOURCE = (
    r"this MAE was trained with per-patch normalised targets \(norm_pix\), so it cannot inpaint; "
    r"train one with norm_pix: false; it may start from these weights \(encoder_weights\)"
)


def test_an_mae_of_normalised_pixels_is_no_source_of_residuals():
    with pytest.raises(ModelInputError, match=f"inpainting: {NO_SOURCE}"):
        inpainted(autoencoder(norm_pix=True), images(1))
    with pytest.raises(ModelInputError, match=f"here: {NO_SOURCE}"):
        require_residual_source(MaeConfig(norm_pix=True), where="here")


SMALL = {"size": "tiny", "input_size": 64, "patch_size": 8}


def mae(**settings):
    torch.manual_seed(0)
    return RffrMae(MaeConfig(**{**SMALL, **settings})).eval()


def detector(**settings):
    torch.manual_seed(0)
    return Rffr(RffrConfig(mae=SMALL, branch="vit_tiny_patch16_224", **settings)).eval()


def test_an_maes_source_is_its_autoencoder_and_its_own_residual():
    network = mae(residual={"mode": "fast"})
    source = residual_source(network, where="x")
    assert source.mae is network.mae is mae_of(network, where="x")
    assert source.section == ResidualSection(mode="fast")


def test_a_detectors_source_is_its_mae_and_the_detectors_residual():
    network = detector(residual={"amplification": 2.0})
    source = residual_source(network, where="x")
    assert source.mae is network.mae is mae_of(network, where="x")
    assert source.section == ResidualSection(amplification=2.0)


def test_a_network_without_mae_is_refused():
    with pytest.raises(ArtifactError, match=r"a/model has no MAE; give an artifact of rffr-mae or rffr"):
        residual_source(nn.Linear(1, 1), where="a/model")


def test_an_mae_that_cannot_inpaint_is_refused():
    with pytest.raises(ModelInputError, match="a/model: this MAE was trained with per-patch normalised targets"):
        mae_of(mae(norm_pix=True), where="a/model")


@pytest.mark.parametrize("section", [{}, {"mode": "fast", "outer_ring": True, "amplification": 3.0, "chunk_size": 2}])
def test_the_residual_is_the_amplified_difference_of_all_blocks(section):
    source = residual_source(mae(residual=section).double(), where="x")
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    residual = source.residual(image)
    assert not residual.requires_grad
    grid = grid_of(source.mae.config, source.section)
    with torch.no_grad():
        inpainted = inpaint(source.mae, image, grid, mode=source.section.mode)
    expected = (source.section.amplification * (inpainted - image)).clamp(-1, 1)
    torch.testing.assert_close(residual, expected, atol=1e-9, rtol=0)


# 8 x 8 patches of 8 pixels: 2 blocks a side from patch 1 to 6; 7 x 7: 1 block from patch 2 to 4
@pytest.mark.parametrize(
    ("input_size", "outer_ring", "covered"), [(64, False, (8, 56)), (64, True, (0, 64)), (56, False, (16, 40))]
)
def test_the_covered_part_of_a_face_is_that_with_a_residual(input_size, outer_ring, covered):
    network = mae(input_size=input_size, residual={"outer_ring": outer_ring})
    source = ResidualSource(network.mae, network.config.residual)
    assert source.covered == covered
    residual = source.residual(torch.rand(1, 3, input_size, input_size))[0].abs().sum(0)
    rows, columns = residual.sum(1).nonzero(), residual.sum(0).nonzero()
    assert (int(rows[0]), int(rows[-1]) + 1) == (int(columns[0]), int(columns[-1]) + 1) == covered
