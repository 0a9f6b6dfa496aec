import copy

import pytest
import torch

from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder, fingerprint
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr

SMALL = {"size": "tiny", "input_size": 40, "patch_size": 8}


def autoencoder(**settings):
    torch.manual_seed(0)
    return MaskedAutoencoder(MaeConfig(**SMALL, **settings))


def test_an_mae_has_the_same_fingerprint_in_its_own_network_and_in_a_detector():
    mae = autoencoder()
    alone, detector = RffrMae(mae.config), Rffr(RffrConfig(mae=SMALL, branch="vit_tiny_patch16_224"))
    for network in (alone.mae, detector.mae):
        network.load_state_dict(mae.state_dict())
        assert fingerprint(network) == fingerprint(mae)


@pytest.mark.parametrize("name", ["mask_token", "decoder_blocks.1.mlp.fc2.bias", "pos_embed"])
def test_any_other_value_of_a_parameter_or_buffer_gives_another(name):
    mae = autoencoder()
    other = copy.deepcopy(mae)
    with torch.no_grad():
        other.state_dict()[name].view(-1)[-1] += 1e-3
    assert fingerprint(other) != fingerprint(mae)


@pytest.mark.parametrize("settings", [{"pixel_mean": (0.485, 0.456, 0.406)}, {"pixel_std": (0.229, 0.224, 0.225)}])
def test_another_range_of_the_images_gives_another(settings):
    assert fingerprint(autoencoder(**settings)) != fingerprint(autoencoder())


def test_what_does_not_change_the_residual_does_not_change_it():
    assert fingerprint(autoencoder(masking="block", blocks_per_image=1)) == fingerprint(autoencoder())
