import pytest
import torch

from realface.core.recipe import check_recipe
from realface.models.catalog import get_method

SETTINGS = {
    "recce": {"encoder": "light_xception"},
    "baseline": {"encoder": "tf_efficientnet_lite0", "input_size": 64},
    "rffr": {
        "branch": "mae",
        "input_size": 40,
        "mae": {"size": "tiny", "input_size": 40, "patch_size": 8},
    },
}
HEADS = {
    "recce": {"decoder1", "decoder2", "decoder3", "decoder4", "decoder5", "decoder6", "reasoning", "attention", "fc"},
    "baseline": {"encoder.classifier"},
    "rffr": {"mae", "classifier"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_encoder_parameters_are_all_but_those_of_the_heads(name):
    method = get_method(name)
    with torch.device("meta"):
        network = method.build_network(check_recipe(method.config_type, SETTINGS[name], where="method"))
    encoder = {id(parameter) for parameter in method.encoder_parameters(network)}
    rest = [key for key, parameter in network.named_parameters() if id(parameter) not in encoder]
    depth = 2 if name == "baseline" else 1
    assert {".".join(key.split(".")[:depth]) for key in rest} == HEADS[name]
    assert encoder
