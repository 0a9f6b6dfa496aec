import pytest

from realface.models.recce.encoders.choice import (
    XCEPTIONS,
    build_encoder,
    require_encoder,
    settings_of_timm_encoder,
)
from realface.models.recce.encoders.families import FAMILIES
from realface.models.recce.encoders.timm_encoder import TimmEncoder


@pytest.mark.parametrize("name", [*XCEPTIONS, *(family.example for family in FAMILIES), "resnet50.a1_in1k"])
def test_encoders_are_accepted_by_name_with_or_without_the_tag_of_their_weights(name):
    require_encoder(name)


@pytest.mark.parametrize(
    "name", ["vit_base_patch16_224", "swin_tiny_patch4_window7_224", "hrnet_w18", "densenet121", "resnetaa50"]
)
def test_a_network_that_cannot_be_cut_is_refused_with_what_is_supported(name):
    with pytest.raises(ValueError, match=f"^{name} cannot be cut for RECCE's decoder, reasoning and attention") as e:
        require_encoder(name)
    assert all(known in str(e.value) for known in ["light_xception", "RegNet (such as regnety_002)", "ConvNeXt-V2"])


def test_a_misspelt_name_is_refused_with_the_likely_one():
    with pytest.raises(ValueError, match="no encoder is called 'convnextv2_ato'; did you mean convnextv2_atto"):
        require_encoder("convnextv2_ato")


def test_an_unknown_name_is_refused_with_what_is_supported():
    with pytest.raises(
        ValueError, match=r"no encoder is called '\?'; supported are legacy_xception, light_xception and"
    ):
        require_encoder("?")


@pytest.mark.parametrize("name", ["resnet18.imagenet", "resnet18."])
def test_an_unknown_tag_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=r"timm has no weights '(imagenet)?' of resnet18; known: .*a1_in1k"):
        require_encoder(name)


def test_a_tag_of_a_network_without_weights_is_refused():
    with pytest.raises(ValueError, match="timm has no weights 'any' of nf_regnet_b0; known: none"):
        require_encoder("nf_regnet_b0.any")


def test_a_name_builds_its_encoder():
    assert [type(build_encoder(name)) for name in XCEPTIONS] == list(XCEPTIONS.values())
    assert isinstance(build_encoder("resnet18.a1_in1k"), TimmEncoder)


def test_widths_suit_the_width_of_the_embedding():
    # 256 / 3 = 85, nearest to 64; 384 / 3 = 128; 1024 / 3 = 341, at most 256; 96 / 3 = 32, at least 64
    widths = {
        "resnet18": (64, 32, 16),
        "convnext_tiny": (128, 64, 32),
        "resnet50": (256, 128, 64),
        "mobilenetv4_conv_small": (64, 32, 16),
    }
    for name, expected in widths.items():
        settings = settings_of_timm_encoder(name)
        assert settings["decoder_widths"] == expected
        assert settings["reasoning_width"] == expected[0]


def test_images_are_normalised_as_the_weights_expect():
    imagenet = settings_of_timm_encoder("resnet18")
    assert imagenet["encoder_mean"] == (0.485, 0.456, 0.406)
    assert imagenet["encoder_std"] == (0.229, 0.224, 0.225)
    assert settings_of_timm_encoder("tf_efficientnetv2_s")["encoder_mean"] == (0.5, 0.5, 0.5)


def test_a_tag_can_ask_for_a_normalisation_of_its_own():
    clip = settings_of_timm_encoder("convnext_base.clip_laion2b")["encoder_mean"]
    assert clip == (0.48145466, 0.4578275, 0.40821073)
    assert clip != settings_of_timm_encoder("convnext_base")["encoder_mean"]


def test_nothing_suits_a_network_that_is_not_supported():
    assert settings_of_timm_encoder("vit_base_patch16_224") == {}
