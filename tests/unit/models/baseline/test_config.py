import subprocess
import sys

import pytest

from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.models.baseline.config import BaselineConfig


def faults_of(**settings):
    with pytest.raises(RecipeError) as caught:
        check_recipe(BaselineConfig, settings, where="recipe.yaml")
    return caught.value.faults


def test_default_is_xception_as_recce_has_it_without_flooding():
    config = BaselineConfig()
    assert (config.encoder, config.input_size, config.num_classes) == ("legacy_xception", 299, 1)
    assert (config.encoder_mean, config.encoder_std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (config.dropout, config.flood_level) == (0.2, 0)


def test_the_light_encoder_has_the_size_that_it_has_in_recce():
    assert BaselineConfig(encoder="light_xception").input_size == 128


@pytest.mark.parametrize(
    ("encoder", "input_size", "mean"),
    [
        ("resnet10t", 176, (0.485, 0.456, 0.406)),
        ("resnet18.a1_in1k", 224, (0.485, 0.456, 0.406)),
        ("vit_tiny_patch16_224", 224, (0.5, 0.5, 0.5)),
        ("legacy_xception.tf_in1k", 299, (0.5, 0.5, 0.5)),
    ],
)
def test_a_network_of_timm_brings_its_size_and_its_normalisation(encoder, input_size, mean):
    config = BaselineConfig(encoder=encoder)
    assert (config.input_size, config.encoder_mean) == (input_size, mean)


def test_what_is_given_goes_before_what_suits_the_network():
    config = BaselineConfig(encoder="vit_tiny_patch16_224", input_size=64, encoder_mean=(0, 0, 0))
    assert (config.input_size, config.encoder_mean) == (64, (0, 0, 0))


@pytest.mark.parametrize("encoder", ["light_xception", "resnet10t"])
def test_a_saved_config_gives_an_equal_one(encoder):
    config = BaselineConfig(encoder=encoder, num_classes=2, flood_level=0.04)
    assert check_recipe(BaselineConfig, config.model_dump(mode="json"), where="model.json") == config


def test_all_faults_are_named_at_once():
    assert faults_of(encoder="resnet10", input_size=20, flod_level=1) == (
        "input_size: must be greater than or equal to 64, got 20",
        "encoder: no network is called 'resnet10'; did you mean resnet10t? known are light_xception and those of timm",
        "flod_level: no such setting; did you mean flood_level?",
    )


def test_a_size_that_a_network_cannot_be_built_for_is_refused_with_its_own():
    (fault,) = faults_of(encoder="levit_128s", input_size=299)
    assert fault.startswith("recipe: levit_128s cannot take images of 299 x 299 (")
    assert fault.endswith("); its own input_size is 224")


def test_the_default_encoder_needs_no_network_library():
    code = (
        "import sys; from realface.models.baseline.config import BaselineConfig; BaselineConfig(); "
        "print('timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
