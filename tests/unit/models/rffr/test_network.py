import pytest
import timm
import torch
from torch.nn import functional as F

from realface.core.errors import ArtifactError, MissingInputError, ModelInputError
from realface.models.rffr import network as module
from realface.models.rffr.branches import branch_feature
from realface.models.rffr.config import RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.network import Rffr, download_encoder_weights, load_encoder_weights
from realface.models.rffr.residual import RffrOutput, inpaint

VIT = "vit_tiny_patch16_224"
MAE = {"size": "tiny", "input_size": 64, "patch_size": 8}
MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)
STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)
CLOSE = {"atol": 1e-9, "rtol": 0}
"""In float64 what is computed another way agrees to more than this on every CPU; float32 would not to 1e-5."""


def network(**settings):
    """In float64, with 2 x 2 blocks, and two layers of each transformer, more of which would only repeat."""
    torch.manual_seed(0)
    model = Rffr(RffrConfig(**{"mae": MAE, "branch": VIT, **settings}))
    model.mae.blocks, model.mae.decoder_blocks = model.mae.blocks[:2], model.mae.decoder_blocks[:2]
    for branch in (model.backbone_1, model.backbone_2):
        branch.blocks = branch.blocks[:2]
    return model.eval().double()


def images(count=2, size=64):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def naive_feature(branch, face, numbers):
    """The first token that comes out when those of some numbers go in; 0 is the class token, 1 the first patch."""
    tokens = [branch.cls_token[0, 0], *branch.patch_embed(face[None])[0]]
    kept = torch.stack([tokens[number] + branch.pos_embed[0, number] for number in numbers])[None]
    for block in branch.blocks:
        kept = block(kept)
    return branch.norm(kept)[0, 0]


def block_by_block(blocks):
    """The patches of some of 2 x 2 blocks in 8 x 8 patches."""
    corners = {0: (1, 1), 1: (1, 4), 2: (4, 1), 3: (4, 4)}
    return [8 * (corners[k][0] + i) + corners[k][1] + j for k in blocks for i in range(3) for j in range(3)]


def normalised(face):
    return (face - MEAN[:, None, None]) / STD[:, None, None]


@torch.no_grad()
def test_branches_like_the_mae_start_as_its_encoder():
    model = Rffr(RffrConfig(mae=MAE, branch="mae")).eval().double()
    mae = MaskedAutoencoder(model.config.mae).eval().double()
    model.take_mae(mae)
    image, everything = images(1), torch.arange(64)[None]
    tokens = torch.cat([mae.cls_token, mae.embed(image)], dim=1)  # the class token's place is 0
    for block in mae.blocks:
        tokens = block(tokens)
    for branch in (model.backbone_1, model.backbone_2):
        torch.testing.assert_close(branch_feature(branch, image, everything), mae.norm(tokens)[:, 0], **CLOSE)
    torch.testing.assert_close(model.mae.state_dict(), mae.state_dict(), rtol=0, atol=0)
    assert model.backbone_1.blocks[0].attn.qkv.weight.requires_grad
    assert model(image).feature.shape == (1, 2 * 192)


@torch.no_grad()
def test_a_face_is_judged_by_both_branches():
    model, image = network(), images()
    output = model(image)
    inpainted = inpaint(model.mae, image, model.grid)
    residual = (4 * (inpainted - image)).clamp(-1, 1)
    assert isinstance(output, RffrOutput)
    torch.testing.assert_close(output.residual, residual, **CLOSE)
    torch.testing.assert_close(output.reconstruction, inpainted.clamp(0, 1), **CLOSE)
    torch.testing.assert_close(output.error_map, residual.abs().mean(1, keepdim=True), **CLOSE)
    numbers = [0, *(1 + patch for patch in block_by_block(range(4)))]
    for number in range(2):
        rgb = naive_feature(model.backbone_1, normalised(image[number]), numbers)
        other = naive_feature(model.backbone_2, residual[number], numbers)
        torch.testing.assert_close(output.feature[number], torch.cat([rgb, other]), **CLOSE)
    torch.testing.assert_close(output.logits, F.linear(output.feature, *model.classifier.parameters()), **CLOSE)


@torch.no_grad()
def test_the_score_is_the_softmax_of_fake():
    output = network()(images())
    torch.testing.assert_close(output.score, output.logits.softmax(1)[:, 1], **CLOSE)


@torch.no_grad()
def test_the_outer_ring_is_looked_at_where_it_is_inpainted():
    model, image = network(residual={"outer_ring": True}), images(1)
    output = model(image)
    numbers = [0, *range(1, 65)]
    expected = naive_feature(model.backbone_1, normalised(image[0]), numbers)
    torch.testing.assert_close(output.feature[0, :192], expected, **CLOSE)


@torch.no_grad()
def test_the_feature_is_the_class_token():
    model, image = network(), images(1)
    before = model(image).feature
    model.backbone_1.cls_token += torch.randn(192, generator=torch.Generator().manual_seed(1))
    after = model(image).feature
    assert (after - before)[:, :192].abs().max() > 1e-3
    assert torch.equal(after[:, 192:], before[:, 192:])


@torch.no_grad()
def test_each_image_can_have_its_own_blocks():
    model, image = network(), images()
    used = torch.tensor([[False, True, False, True], [True, True, False, False]])
    output = model(image, used=used)
    for number, blocks in enumerate([[1, 3], [0, 1]]):
        numbers = [0, *(1 + patch for patch in block_by_block(blocks))]
        expected = naive_feature(model.backbone_1, normalised(image[number]), numbers)
        torch.testing.assert_close(output.feature[number, :192], expected, **CLOSE)
        covered = torch.zeros(64, dtype=torch.bool).index_fill(0, torch.tensor(block_by_block(blocks)), True)
        is_pixel_covered = covered.view(8, 8).repeat_interleave(8, 0).repeat_interleave(8, 1)
        assert torch.equal(output.residual[number].abs().sum(0) > 0, is_pixel_covered)


@pytest.mark.parametrize("used", [None, [[True, False, False, True], [False, True, True, False]]])
@pytest.mark.parametrize("settings", [{}, {"released_indexing": True}, {"residual": {"mode": "fast"}}])
@torch.no_grad()
def test_a_residual_computed_before_gives_the_same_as_one_computed_now(settings, used):
    model, image = network(**settings), images()
    used = None if used is None else torch.tensor(used)
    stored = model(image).residual
    given, computed = model(image, residual=stored, used=used), model(image, used=used)
    torch.testing.assert_close(given.logits, computed.logits, **CLOSE)
    torch.testing.assert_close(given.residual, computed.residual, **CLOSE)
    torch.testing.assert_close(given.error_map, computed.error_map, **CLOSE)


@torch.no_grad()
def test_a_residual_computed_before_spares_the_mae_and_says_what_was_inpainted(monkeypatch):
    model, image = network(), images()
    before = model(image)
    monkeypatch.setattr(module, "inpaint", None)
    after = model(image, residual=before.residual)
    unclamped = before.residual.abs() < 1
    torch.testing.assert_close(after.reconstruction[unclamped], before.reconstruction[unclamped], **CLOSE)
    assert torch.equal(after.error_map, before.error_map)


def released_numbers(blocks, *, offset):
    return [patch + offset for patch in block_by_block(blocks)]


@torch.no_grad()
def test_released_indexing_takes_the_first_kept_patch_for_the_feature():
    model, image = network(released_indexing=True), images(1)
    expected = naive_feature(model.backbone_1, normalised(image[0]), released_numbers(range(4), offset=1))
    torch.testing.assert_close(model(image).feature[0, :192], expected, **CLOSE)


@torch.no_grad()
def test_released_indexing_reads_the_residuals_patches_one_to_the_right():
    model, image = network(released_indexing=True), images(1)
    output = model(image)
    right, wrong = (
        naive_feature(model.backbone_2, output.residual[0], released_numbers(range(4), offset=offset))
        for offset in (2, 1)
    )
    torch.testing.assert_close(output.feature[0, 192:], right, **CLOSE)
    assert (right - wrong).abs().max() > 1e-2


@torch.no_grad()
def test_released_indexing_takes_the_first_patch_of_the_lowest_used_block():
    model, image = network(released_indexing=True), images(1)
    output = model(image, used=torch.tensor([[False, False, True, True]]))
    expected = naive_feature(model.backbone_1, normalised(image[0]), released_numbers([2, 3], offset=1))
    torch.testing.assert_close(output.feature[0, :192], expected, **CLOSE)


def test_the_mae_is_frozen():
    model = network().train()
    assert model.training
    assert model.backbone_1.training
    assert not any(part.training for part in model.mae.modules())
    model(images(1)).logit.sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert {name.split(".")[0] for name, gradient in gradients.items() if gradient is None} == {"mae"}


@torch.no_grad()
def test_outputs_are_float32_and_logits_as_precise_under_half_precision():
    model = network().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(images(1).float())
    for tensor in (output.logit, output.logits, output.feature, output.residual, output.reconstruction):
        assert tensor.dtype == torch.float32
    assert torch.equal(output.logits, F.linear(output.feature, *model.classifier.parameters()))


def test_images_of_another_size_are_refused():
    with pytest.raises(ModelInputError, match="this rffr was built for images of 64 x 64, got 40 x 40; resize them"):
        network()(images(size=40))


def test_an_mae_that_cannot_inpaint_is_refused():
    with pytest.raises(ModelInputError, match="inpainting: this MAE was trained with per-patch normalised targets"):
        network(mae={**MAE, "norm_pix": True})(images())


def test_a_file_of_timms_weights_starts_both_branches(tmp_path):
    torch.manual_seed(1)
    weights = timm.create_model(VIT).state_dict()
    torch.save(weights, tmp_path / "imagenet.pth")
    model = Rffr(RffrConfig(mae=MAE, branch=VIT))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load_encoder_weights(model, tmp_path / "imagenet.pth")
    for name in ("backbone_1", "backbone_2"):
        loaded = getattr(model, name).state_dict()
        resized = ("pos_embed", "patch_embed.proj.weight")
        assert loaded["pos_embed"].shape == (1, 65, 192)
        assert all(torch.equal(loaded[part], weights[part]) for part in loaded if part not in resized)
    for name, value in model.state_dict().items():
        if not name.startswith("backbone_"):
            assert torch.equal(value, before[name]), name


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "imagenet.pth")
    with pytest.raises(
        ArtifactError, match=r"imagenet.pth does not fit VisionTransformer: missing cls_token; .*unexpected a"
    ):
        load_encoder_weights(network(), tmp_path / "imagenet.pth")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"gone.pth does not exist"):
        load_encoder_weights(network(), tmp_path / "gone.pth")


def test_timms_hub_starts_both_branches_at_the_maes_size(monkeypatch):
    torch.manual_seed(1)
    weights = timm.create_model(VIT, img_size=64, patch_size=8).state_dict()
    asked = []

    def download(name, **settings):
        asked.append((name, settings))
        return weights

    monkeypatch.setattr(module, "download_weights", download)
    model = Rffr(RffrConfig(mae=MAE, branch=VIT))
    download_encoder_weights(model)
    assert asked == [(VIT, {"img_size": 64, "patch_size": 8})]
    for branch in (model.backbone_1, model.backbone_2):
        assert all(torch.equal(value, weights[name]) for name, value in branch.state_dict().items())
