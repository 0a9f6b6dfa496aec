import pytest
import timm
import torch

from realface.core.errors import ArtifactError
from realface.models.rffr.branches import (
    branch_feature,
    build_branch,
    chosen,
    load_branch,
    placed_tokens,
    released_feature,
)
from realface.models.timm_networks import num_prefix_tokens, require_branch

VIT = "vit_tiny_patch16_224"
PATCHES = torch.tensor([[9, 3, 20], [0, 1, 2]])


def branch(**settings):
    torch.manual_seed(0)
    return build_branch(VIT, **{"input_size": 40, "patch_size": 8, **settings}).eval().double()


def images(count=2):
    return torch.rand(count, 3, 40, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def timm_weights(name=VIT, **settings):
    torch.manual_seed(1)
    return timm.create_model(name, pretrained=False, **settings).state_dict()


@torch.no_grad()
def naive_feature(network, face, numbers):
    """The first token that comes out when those of some numbers go in; 0 is the class token, 1 the first patch."""
    patches = network.patch_embed(face[None])[0]
    tokens = [network.cls_token[0, 0], *patches]
    kept = torch.stack([tokens[number] + network.pos_embed[0, number] for number in numbers])[None]
    for block in network.blocks:
        kept = block(kept)
    return network.norm(kept)[0, 0]


@pytest.mark.parametrize("name", [VIT, "vit_base_patch16_224.augreg_in1k", "vit_small_patch14_reg4_dinov2"])
def test_vision_transformers_with_a_class_token_are_accepted(name):
    require_branch(name)


@pytest.mark.parametrize(("name", "count"), [(VIT, 1), ("vit_small_patch14_reg4_dinov2", 5)])
def test_tokens_before_the_patches_are_the_class_token_and_registers(name, count):
    assert num_prefix_tokens(name) == count


def test_a_misspelt_name_is_refused_with_the_likely_one():
    with pytest.raises(
        ValueError, match="no vision transformer is called 'vit_tiny_patch16_22'; did you mean vit_tiny_p"
    ):
        require_branch("vit_tiny_patch16_22")


@pytest.mark.parametrize("name", ["resnet18", "?"])
def test_other_networks_are_refused(name):
    with pytest.raises(ValueError, match=r"no vision transformer is called '.+'; .*known: timm's, such as vit_base"):
        require_branch(name)


def test_an_unknown_tag_is_refused():
    with pytest.raises(ValueError, match=rf"timm has no weights 'imagenet' of {VIT}; known: .*augreg_in21k"):
        require_branch(f"{VIT}.imagenet")


# mean of all tokens; without class token; attention pooling
@pytest.mark.parametrize(
    "name", ["vit_base_patch16_rpn_224", "vit_base_patch16_siglip_gap_224", "vit_base_patch16_siglip_224"]
)
def test_transformers_without_a_class_token_as_feature_are_refused(name):
    expected = f"{name} has no class token to take a feature from; take another, such as vit_base_patch16_224"
    with pytest.raises(ValueError, match=expected):
        require_branch(name)


@pytest.mark.parametrize("name", ["vit_tiny_r_s16_p8_224", "vit_base_mci_224"])
def test_transformers_on_a_convolutional_network_are_refused(name):
    expected = f"{name} makes its patches by a convolutional network, which cannot be built for the MAE's; take"
    with pytest.raises(ValueError, match=expected):
        require_branch(name)


def test_accepting_a_name_draws_no_random_number():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    require_branch.__wrapped__(VIT)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_branch_is_built_for_the_size_of_images_and_patches_without_classifier():
    network = branch(input_size=60, patch_size=12)
    assert network.patch_embed.grid_size == (5, 5)
    assert not any(name.startswith("head") for name in network.state_dict())


def test_with_all_patches_the_feature_is_that_of_timms_network():
    network, everything = branch(), torch.arange(25).expand(2, -1)
    with torch.no_grad():
        torch.testing.assert_close(branch_feature(network, images(), everything), network(images()))


def test_with_some_patches_the_feature_is_the_class_token_beside_them():
    network = branch()
    with torch.no_grad():
        got = branch_feature(network, images(), PATCHES)
    for number, patches in enumerate(PATCHES.tolist()):
        expected = naive_feature(network, images()[number], [0, *(1 + patch for patch in patches)])
        torch.testing.assert_close(got[number], expected)


def test_the_order_of_patches_does_not_matter_to_the_class_token():
    network = branch()
    with torch.no_grad():
        torch.testing.assert_close(
            branch_feature(network, images(), PATCHES.flip(1)), branch_feature(network, images(), PATCHES)
        )


def test_pixels_outside_the_patches_do_not_matter():
    network, other = branch(), images()
    other[0, :, 32:, 32:] = 0  # patch 24
    with torch.no_grad():
        assert torch.equal(branch_feature(network, other, PATCHES), branch_feature(network, images(), PATCHES))


@pytest.mark.parametrize("offset", [1, 2])
def test_the_released_feature_is_the_first_kept_token_without_class_token(offset):
    network = branch()
    with torch.no_grad():
        got = released_feature(network, images(), PATCHES, offset=offset)
    for number, patches in enumerate(PATCHES.tolist()):
        expected = naive_feature(network, images()[number], [patch + offset for patch in patches])
        torch.testing.assert_close(got[number], expected)


def test_the_class_token_changes_the_feature_but_not_the_released_one():
    network = branch()
    with torch.no_grad():
        before = branch_feature(network, images(), PATCHES), released_feature(network, images(), PATCHES, offset=1)
        network.cls_token += torch.randn(192)
        after = branch_feature(network, images(), PATCHES), released_feature(network, images(), PATCHES, offset=1)
    assert (after[0] - before[0]).abs().max() > 1e-3
    assert torch.equal(after[1], before[1])


def test_tokens_of_a_number_are_gathered_for_each_image():
    tokens = torch.arange(8.0).reshape(2, 4, 1)
    assert chosen(tokens, torch.tensor([[3, 0], [1, 1]]))[..., 0].tolist() == [[3, 0], [5, 5]]


def test_registers_stand_before_the_patches_and_are_kept():
    torch.manual_seed(0)
    network = build_branch("vit_small_patch14_reg4_dinov2", input_size=40, patch_size=8).eval().double()
    image, everything = images(), torch.arange(25).expand(2, -1)
    with torch.no_grad():
        assert placed_tokens(network, image).shape[1] == 1 + 4 + 25
        torch.testing.assert_close(branch_feature(network, image, everything), network(image), atol=1e-9, rtol=0)


def test_weights_of_its_size_start_a_branch_as_they_are_without_their_classifier():
    network, weights = branch(input_size=64, patch_size=16), timm_weights(img_size=64)
    load_branch(network, weights, where="w.pth")
    loaded = network.state_dict()
    assert set(weights) - set(loaded) == {"head.weight", "head.bias"}
    assert all(torch.equal(loaded[name], weights[name].double()) for name in loaded)


def test_weights_of_another_size_of_image_and_patch_are_resized():
    weights = timm_weights()
    weights["patch_embed.proj.weight"] = torch.ones_like(weights["patch_embed.proj.weight"])
    weights["pos_embed"] = torch.full_like(weights["pos_embed"], 0.5)
    weights["pos_embed"][:, 0] = 7
    network = branch()
    load_branch(network, weights, where="w.pth")
    loaded = network.state_dict()
    assert torch.equal(loaded["blocks.3.attn.qkv.weight"], weights["blocks.3.attn.qkv.weight"].double())
    places = loaded["pos_embed"]
    assert places.shape == (1, 26, 192)
    assert (places[:, 0] == 7).all()  # the class token's place is no place
    torch.testing.assert_close(places[:, 1:], torch.full_like(places[:, 1:], 0.5), atol=1e-6, rtol=0)
    # a patch of one colour gives the same token, whatever its size
    projection = loaded["patch_embed.proj.weight"]
    assert projection.shape == (192, 3, 8, 8)
    torch.testing.assert_close(projection.sum((1, 2, 3)), torch.full((192,), 3.0 * 16 * 16).double(), rtol=0.02, atol=0)


def test_a_second_classifier_is_left_out_too():
    weights = timm_weights(img_size=40, patch_size=8)
    load_branch(branch(), {**weights, "head_dist.weight": torch.zeros(2, 192)}, where="w.pth")


def test_weights_that_do_not_fit_are_refused_by_name():
    weights = timm_weights(img_size=40, patch_size=8)
    del weights["norm.bias"]
    with pytest.raises(
        ArtifactError, match=r"w.pth does not fit VisionTransformer: missing norm.bias; unexpected extra$"
    ):
        load_branch(branch(), {**weights, "extra": torch.zeros(1)}, where="w.pth")


def test_weights_of_another_width_are_refused():
    weights = timm_weights("vit_small_patch16_224")
    expected = r"w.pth does not fit VisionTransformer: cls_token must have shape \(1, 1, 192\), got \(1, 1, 384\)"
    with pytest.raises(ArtifactError, match=expected):
        load_branch(branch(), weights, where="w.pth")


@pytest.mark.parametrize(
    "weights",
    [
        {"mask_token": torch.zeros(1), "pos_embed": torch.zeros(1, 1)},
        {"pos_embed": torch.zeros(1, 8, 192), "patch_embed.proj.weight": torch.zeros(192, 3, 8, 8)},
        {"pos_embed": torch.zeros(3), "patch_embed.proj.weight": torch.zeros(192, 3, 8, 8)},
        {"patch_embed.proj.weight": torch.zeros(7)},
        {"model": torch.zeros(7)},
        {"encoder": torch.zeros(7)},
    ],
)
def test_what_only_looks_like_a_transformers_weights_is_refused(weights):
    with pytest.raises(ArtifactError, match=r"^w\.pth (holds no vision transformer's weights \(|does not fit VisionT)"):
        load_branch(branch(), weights, where="w.pth")
