"""The whole network around every family of encoders, and with each part of it switched off."""

import pytest
import torch

from realface.core.labels import Label
from realface.models.recce.config import RecceConfig
from realface.models.recce.encoders.choice import XCEPTIONS
from realface.models.recce.encoders.families import FAMILIES
from realface.models.recce.network import Recce
from realface.models.recce.task import RecceTask

ENCODERS = [*XCEPTIONS, *(family.example for family in FAMILIES)]
SWITCHES = [
    {"lambda_1": 0},
    {"lambda_2": 0},
    {"reasoning": False},
    {"attention": False},
    {"reasoning": False, "attention": False, "lambda_1": 0, "lambda_2": 0},
]


def network(encoder, **settings):
    torch.manual_seed(0)
    return Recce(RecceConfig(encoder=encoder, **settings))


def images(size, batch=1):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def require_shapes(model, size):
    with torch.no_grad():
        output = model.eval()(images(size))
        embedding = model.encoder.embed(images(size))
    assert output.logit.shape == (1,)
    assert output.reconstruction.shape == (1, 3, size, size)
    assert output.error_map.shape == (1, 1, size, size)
    assert output.attention.shape == (1, 1, *embedding.shape[-2:])
    fine, finest, _ = model.config.decoder_widths
    assert [each.shape for each in output.embeddings] == [(1, model.encoder.embedding_width), (1, fine), (1, finest)]
    assert output.logit.isfinite()
    assert output.reconstruction.isfinite().all()


def require_gradients(task, label):
    result = task.train()(images(64, batch=len(label)), torch.tensor(label))
    result.loss.backward()
    assert result.loss.isfinite()
    gradients = {name: parameter.grad for name, parameter in task.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    return gradients


def without_zeros(network):
    """The network with no parameter at 0; norms that start there let nothing reach what stands before them."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.fill_(0.5)
    return network


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_odd_size_works(encoder):
    require_shapes(network(encoder), 299 if encoder != "legacy_xception" else 101)


@pytest.mark.long
@pytest.mark.parametrize("size", [224, 256, 299, 320])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_size_works(encoder, size):
    require_shapes(network(encoder), size)


@pytest.mark.parametrize("label", [[Label.REAL], [Label.REAL, Label.FAKE]])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_training_step_reaches_every_parameter(encoder, label):
    gradients = require_gradients(RecceTask(without_zeros(network(encoder))), label)
    assert [name for name, gradient in gradients.items() if not gradient.any()] == []


@pytest.mark.parametrize("encoder", ["light_xception", "resnet18"])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_a_network_with_parts_switched_off_trains_and_has_no_idle_parameter(switches, encoder):
    task = RecceTask(network(encoder, **switches))
    idle = [part for part in ("reasoning", "attention") if not getattr(task.network.config, part)]
    assert not [name for name, _ in task.network.named_parameters() if name.split(".")[0] in idle]
    require_gradients(task, [Label.REAL, Label.FAKE])
    require_gradients(task, [Label.FAKE])


def test_without_attention_the_network_gives_no_map_of_it():
    with torch.no_grad():
        output = network("light_xception", attention=False).eval()(images(64, batch=2))
    assert output.attention is None


def test_a_switched_off_part_leaves_the_rest_of_the_state_dict_as_it_was():
    whole = network("light_xception").state_dict()
    bare = network("light_xception", reasoning=False, attention=False).state_dict()
    assert set(whole) - set(bare) == {name for name in whole if name.startswith(("reasoning.", "attention."))}
    assert set(bare) <= set(whole)
