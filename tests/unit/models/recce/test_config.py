import subprocess
import sys

import pytest

from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.models.recce.config import ENCODER_DEFAULTS, RecceConfig


def test_defaults_are_the_papers():
    config = RecceConfig()
    assert (config.encoder, config.input_size, config.num_classes) == ("legacy_xception", 299, 1)
    assert (config.decoder_widths, config.reasoning_width) == ((256, 128, 64), 256)
    assert (config.dropout, config.noise_std, config.noise_probability) == (0.2, 1e-6, 0.5)
    assert (config.flood_level, config.lambda_1, config.lambda_2, config.metric_margin) == (0.04, 0.1, 0.1, 1.0)


def test_sizes_follow_the_encoder_unless_given():
    config = RecceConfig(encoder="light_xception", input_size=160)
    assert config.input_size == 160
    assert config.decoder_widths == ENCODER_DEFAULTS["light_xception"]["decoder_widths"]
    assert config.reasoning_width == ENCODER_DEFAULTS["light_xception"]["reasoning_width"]


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50.a1_in1k"])
def test_a_network_of_timm_brings_its_sizes_and_its_normalisation(encoder):
    config = RecceConfig(encoder=encoder, reasoning_width=48)
    assert (config.input_size, config.reasoning_width) == (256, 48)
    assert (config.encoder_mean, config.encoder_std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_xceptions_sizes_follow_the_rule_for_the_networks_of_timm():
    # 728 / 3 = 243, nearest to 256; 192 / 3 = 64
    assert [settings["reasoning_width"] for settings in ENCODER_DEFAULTS.values()] == [256, 64]
    for settings in ENCODER_DEFAULTS.values():
        width = settings["reasoning_width"]
        assert settings["decoder_widths"] == (width, width // 2, width // 4)


@pytest.mark.parametrize("encoder", ["light_xception", "resnet18"])
def test_a_saved_config_gives_an_equal_one(encoder):
    config = RecceConfig(encoder=encoder, num_classes=2, attention=False)
    assert check_recipe(RecceConfig, config.model_dump(mode="json"), where="model.json") == config


def test_all_faults_are_named_at_once():
    with pytest.raises(RecipeError) as caught:
        check_recipe(RecceConfig, {"encoder": "light_xeption", "input_size": 20, "lamda_1": 1}, where="recipe.yaml")
    text = str(caught.value)
    assert "recipe.yaml: 3 faults" in text
    assert "did you mean light_xception?" in text
    assert "input_size: must be greater than or equal to 64, got 20" in text
    assert "lamda_1: no such setting; did you mean lambda_1?" in text


def test_an_encoder_that_cannot_be_cut_is_refused_by_name():
    with pytest.raises(RecipeError, match="encoder: vit_base_patch16_224 cannot be cut for RECCE's decoder"):
        check_recipe(RecceConfig, {"encoder": "vit_base_patch16_224"}, where="recipe.yaml")


def test_an_encoder_that_is_no_name_is_a_fault_like_any_other():
    with pytest.raises(RecipeError, match="encoder: must be a valid string, got 50"):
        check_recipe(RecceConfig, {"encoder": 50}, where="recipe.yaml")


def test_the_default_encoder_needs_no_network_library():
    code = (
        "import sys; from realface.models.recce.config import RecceConfig; RecceConfig(); print('timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_constant_is_described():
    assert [name for name, field in RecceConfig.model_fields.items() if not field.description] == []
