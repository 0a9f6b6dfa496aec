import pytest
import torch
from torch import nn

from realface.training.optimisers import AdamConfig, SgdConfig, build_optimiser


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (AdamConfig(name="adam"), torch.optim.Adam),
        (AdamConfig(name="adamw"), torch.optim.AdamW),
        (SgdConfig(name="sgd", lr=0.1), torch.optim.SGD),
    ],
)
def test_name_decides_the_kind(config, kind):
    assert type(build_optimiser(config, nn.Linear(2, 2).parameters())) is kind


def test_settings_reach_the_optimiser():
    config = AdamConfig(name="adam", lr=1e-3, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.5)
    group = build_optimiser(config, nn.Linear(2, 2).parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.8, 0.9), 1e-6, 0.5)


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad = False
    [group] = build_optimiser(SgdConfig(name="sgd", lr=0.1), layer.parameters()).param_groups
    assert [parameter is layer.weight for parameter in group["params"]] == [True]


def test_sgd_step_is_minus_rate_times_gradient():
    weight = nn.Parameter(torch.tensor([1.0]))
    optimiser = build_optimiser(SgdConfig(name="sgd", lr=0.1, momentum=0.0), [weight])
    (3 * weight).sum().backward()
    optimiser.step()
    assert weight.item() == pytest.approx(0.7)
