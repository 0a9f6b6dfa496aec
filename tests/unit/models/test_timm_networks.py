import pytest
import timm

from realface.core.errors import ArtifactError
from realface.models.timm_networks import download_weights, normalisation_of, require_tag


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k", "nf_regnet_b0"])
def test_names_without_a_tag_or_with_one_of_timms_are_accepted(name):
    require_tag(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18.imagenet", r"timm has no weights 'imagenet' of resnet18; known: .*a1_in1k"),
        ("resnet18.", r"timm has no weights '' of resnet18; known: .*a1_in1k"),
        ("nf_regnet_b0.any", r"timm has no weights 'any' of nf_regnet_b0; known: none$"),
    ],
)
def test_other_tags_are_refused_with_the_known_ones(name, expected):
    with pytest.raises(ValueError, match=expected):
        require_tag(name)


def test_normalisation_is_that_of_the_tag():
    # timm's default for convnext_base was trained with ImageNet's mean, CLIP's with its own
    assert normalisation_of("convnext_base") == {
        "encoder_mean": (0.485, 0.456, 0.406),
        "encoder_std": (0.229, 0.224, 0.225),
    }
    assert normalisation_of("convnext_base.clip_laion2b")["encoder_mean"] == (0.48145466, 0.4578275, 0.40821073)


def test_a_network_without_weights_is_named_before_the_hub_is_asked():
    with pytest.raises(ArtifactError, match="timm has no pretrained weights for nf_regnet_b0; leave encoder_weights"):
        download_weights("nf_regnet_b0")


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch):
    def fail(name, **settings):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(ArtifactError, match=r"of resnet18 could not be downloaded \(no route to host\); check the net"):
        download_weights("resnet18")
