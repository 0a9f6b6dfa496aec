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


def test_every_encoder_has_its_sizes():
    assert set(ENCODER_DEFAULTS) == {"legacy_xception", "light_xception"}


def test_a_saved_config_gives_an_equal_one():
    config = RecceConfig(encoder="light_xception", num_classes=2)
    assert check_recipe(RecceConfig, config.model_dump(mode="json"), where="model.json") == config


def test_all_faults_are_named_at_once():
    with pytest.raises(RecipeError) as caught:
        check_recipe(RecceConfig, {"encoder": "light_xeption", "input_size": 20, "lamda_1": 1}, where="recipe.yaml")
    text = str(caught.value)
    assert "recipe.yaml: 3 faults" in text
    assert "did you mean light_xception?" in text
    assert "input_size: must be greater than or equal to 64, got 20" in text
    assert "lamda_1: no such setting; did you mean lambda_1?" in text


def test_every_constant_is_described():
    assert [name for name, field in RecceConfig.model_fields.items() if not field.description] == []
