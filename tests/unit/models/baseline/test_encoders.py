import pytest
import torch

from realface.models.baseline.encoders import (
    LightXceptionClassifier,
    build_encoder,
    require_encoder,
    require_input_size,
    takes_one_size,
)
from realface.models.xception import LightXception


def build(name, *, input_size=64, num_classes=2):
    torch.manual_seed(0)
    return build_encoder(name, input_size=input_size, num_classes=num_classes, dropout=0.0)


@pytest.mark.parametrize("name", ["light_xception", "legacy_xception", "resnet18.a1_in1k", "vit_tiny_patch16_224"])
def test_networks_are_accepted_by_name_with_or_without_the_tag_of_their_weights(name):
    require_encoder(name)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"^no network is called '\?'; known are light_xception and those of timm$"):
        require_encoder("?")


def test_a_misspelt_name_is_refused_with_the_likely_one():
    with pytest.raises(ValueError, match=r"'light_xeption'; did you mean light_xception\? known"):
        require_encoder("light_xeption")


def test_a_network_of_timm_without_classifier_is_refused():
    with pytest.raises(ValueError, match="qwen3_vit_88m_enc is no classifier of images; take another network of timm"):
        require_encoder("qwen3_vit_88m_enc")


# convolutional; transformers with and without class token; windows; a mixer; two classifiers
@pytest.mark.parametrize(
    "name",
    [
        "light_xception",
        "resnet10t",
        "mobilenetv4_conv_small",
        "vit_tiny_patch16_224",
        "deit_tiny_distilled_patch16_224",
        "swin_tiny_patch4_window7_224",
        "mixer_s32_224",
    ],
)
def test_images_become_as_many_logits_as_there_are_classes(name):
    with torch.no_grad():
        logits = build(name).eval()(torch.rand(3, 3, 64, 64))
    assert logits.shape == (3, 2)


def test_the_light_encoder_classifies_what_recces_encoder_makes_of_a_face():
    classifier = build("light_xception").eval()
    assert isinstance(classifier, LightXceptionClassifier)
    encoder = LightXception().eval()
    encoder.load_state_dict({name: value for name, value in classifier.state_dict().items() if name[:3] != "fc."})
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        map_ = encoder.to_features(encoder.to_attention(encoder.to_reasoning(encoder.embed(image))))
        expected = map_.mean(dim=(2, 3)) @ classifier.fc.weight.T + classifier.fc.bias
        torch.testing.assert_close(classifier(image), expected)


def test_transformers_take_one_size_and_convolutional_networks_any():
    names = ["light_xception", "legacy_xception", "resnet10t", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]
    assert [takes_one_size(name) for name in names] == [False, False, False, True, True]


@pytest.mark.parametrize(("name", "input_size"), [("vit_tiny_patch16_224", 96), ("resnet10t", 65)])
def test_sizes_that_a_network_can_be_built_for_are_accepted(name, input_size):
    require_input_size(name, input_size)


@pytest.mark.parametrize(
    ("name", "input_size", "patch", "rest"),
    [("vit_tiny_patch16_224", 70, 16, 6), ("swin_tiny_patch4_window7_224", 226, 4, 2), ("mixer_s32_224", 66, 32, 2)],
)
def test_sizes_that_patches_do_not_fill_are_refused(name, input_size, patch, rest):
    expected = (
        rf"{name} cannot take images of {input_size} x {input_size} \(no multiple of its patches of {patch} x {patch}; "
        rf"the last {rest} pixels of a row and a column would be lost\); its own input_size is 224"
    )
    with pytest.raises(ValueError, match=expected):
        require_input_size(name, input_size)


@pytest.mark.parametrize("name", ["inception_v3", "crossvit_tiny_240"])
def test_sizes_that_a_network_cannot_be_built_for_are_refused(name):
    with pytest.raises(ValueError, match=rf"{name} cannot take images of 64 x 64 \(.+\); its own input_size is 2"):
        require_input_size(name, 64)


def test_trying_a_size_draws_no_random_number():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    require_input_size("resnet10t", 72)
    assert torch.equal(torch.get_rng_state(), state)
