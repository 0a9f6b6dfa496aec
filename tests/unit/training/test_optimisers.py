import copy
import inspect

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from realface.training.optimisers import (
    AdadeltaConfig,
    AdagradConfig,
    AdamaxConfig,
    AdamConfig,
    AdamwConfig,
    AsgdConfig,
    OptimiserConfig,
    RmspropConfig,
    SgdConfig,
    build_optimiser,
)

KINDS = {
    SgdConfig: torch.optim.SGD,
    AdamConfig: torch.optim.Adam,
    AdamwConfig: torch.optim.AdamW,
    AsgdConfig: torch.optim.ASGD,
    AdamaxConfig: torch.optim.Adamax,
    AdadeltaConfig: torch.optim.Adadelta,
    AdagradConfig: torch.optim.Adagrad,
    RmspropConfig: torch.optim.RMSprop,
}
each_kind = pytest.mark.parametrize("config_type", KINDS, ids=lambda kind: kind.__name__)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))


def take_steps(model, optimiser, steps):
    for step in steps:
        images = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        model(images).square().mean().backward()
        optimiser.step()


@each_kind
def test_name_decides_the_kind(config_type):
    config = TypeAdapter(OptimiserConfig).validate_python({"name": config_type().name})
    assert type(config) is config_type
    assert type(build_optimiser(config, nn.Linear(2, 2).parameters())) is KINDS[config_type]


@each_kind
def test_defaults_are_torchs_except_the_rate_that_recce_gives_adam(config_type):
    settings = config_type().model_dump(exclude={"name", "encoder_lr", "no_decay_on_norms"})
    of_torch = {name: inspect.signature(KINDS[config_type]).parameters[name].default for name in settings}
    assert settings == {**of_torch, **({"lr": 2e-4} if config_type is AdamConfig else {})}


def test_settings_reach_the_optimiser():
    config = AdamConfig(lr=1e-3, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.5)
    group = build_optimiser(config, nn.Linear(2, 2).parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.8, 0.9), 1e-6, 0.5)


@each_kind
def test_restored_optimiser_goes_on_bit_for_bit(config_type):
    straight = network()
    take_steps(straight, build_optimiser(config_type(weight_decay=0.01), straight.parameters()), range(8))

    first = network()
    optimiser = build_optimiser(config_type(weight_decay=0.01), first.parameters())
    take_steps(first, optimiser, range(5))
    second = copy.deepcopy(first)
    restored = build_optimiser(config_type(weight_decay=0.01), second.parameters())
    restored.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    take_steps(second, restored, range(5, 8))

    assert all(torch.equal(*pair) for pair in zip(straight.parameters(), second.parameters(), strict=True))


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad = False
    [group] = build_optimiser(SgdConfig(lr=0.1), layer.parameters()).param_groups
    assert [parameter is layer.weight for parameter in group["params"]] == [True]


def test_sgd_step_is_minus_rate_times_gradient():
    weight = nn.Parameter(torch.tensor([1.0]))
    optimiser = build_optimiser(SgdConfig(lr=0.1), [weight])
    (3 * weight).sum().backward()
    optimiser.step()
    assert weight.item() == pytest.approx(0.7)


def test_weight_decay_spares_biases_and_norms_where_asked():
    model = network()
    config = AdamwConfig(lr=0.1, weight_decay=0.5, no_decay_on_norms=True)
    optimiser = build_optimiser(config, model.parameters())
    before = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True):
        share_left = 0.95 if name in {"0.weight", "2.weight"} else 1.0  # 1 - rate x decay
        assert torch.allclose(new, share_left * old), name


def test_weight_decay_reaches_all_weights_where_not_asked_otherwise():
    [group] = build_optimiser(AdamwConfig(weight_decay=0.5), network().parameters()).param_groups
    assert (len(group["params"]), group["weight_decay"]) == (6, 0.5)


def test_no_group_is_left_empty():
    [group] = build_optimiser(SgdConfig(no_decay_on_norms=True), nn.LayerNorm(4).parameters()).param_groups
    assert (len(group["params"]), group["weight_decay"]) == (2, 0.0)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValidationError, match=r"looks ahead by the momentum, which is 0; set `momentum`, such as 0\.9"):
        SgdConfig(nesterov=True)


def encoder_and_head():
    """An encoder of a weight and a bias, and a head of a weight and a bias, of distinct sizes."""
    return nn.Linear(3, 4), nn.Linear(4, 1)


def sizes_and(setting, groups):
    return [([parameter.numel() for parameter in group["params"]], group[setting]) for group in groups]


@each_kind
def test_encoder_is_trained_at_its_own_rate(config_type):
    encoder, head = encoder_and_head()
    config = config_type(lr=3e-4, encoder_lr=1e-4)
    parameters = [*encoder.parameters(), *head.parameters()]
    groups = build_optimiser(config, parameters, encoder=encoder.parameters()).param_groups
    assert sizes_and("lr", groups) == [([4, 1], 3e-4), ([12, 4], 1e-4)]


def test_without_a_rate_of_its_own_the_encoder_is_not_apart():
    encoder, head = encoder_and_head()
    parameters = [*encoder.parameters(), *head.parameters()]
    groups = build_optimiser(AdamwConfig(lr=3e-4), parameters, encoder=encoder.parameters()).param_groups
    assert sizes_and("lr", groups) == [([12, 4, 4, 1], 3e-4)]


def test_both_rates_can_spare_biases_from_weight_decay():
    encoder, head = encoder_and_head()
    config = AdamwConfig(lr=3e-4, encoder_lr=1e-4, weight_decay=0.5, no_decay_on_norms=True)
    parameters = [*encoder.parameters(), *head.parameters()]
    groups = build_optimiser(config, parameters, encoder=encoder.parameters()).param_groups
    assert sizes_and("weight_decay", groups) == [([4], 0.5), ([1], 0.0), ([12], 0.5), ([4], 0.0)]
    assert [group["lr"] for group in groups] == [3e-4, 3e-4, 1e-4, 1e-4]


def test_frozen_parts_of_the_encoder_are_left_out():
    encoder, head = encoder_and_head()
    encoder.requires_grad_(False)
    parameters = [*encoder.parameters(), *head.parameters()]
    groups = build_optimiser(SgdConfig(encoder_lr=0.1), parameters, encoder=encoder.parameters()).param_groups
    assert sizes_and("lr", groups) == [([4, 1], 1e-3)]


def test_a_rate_of_zero_for_the_encoder_is_refused():
    with pytest.raises(ValidationError, match="greater than 0"):
        AdamwConfig(encoder_lr=0)
