"""Losses of a real face beside its fake, and the head that says where a face was manipulated."""

import math

import pytest
import torch

from realface.core.errors import RecipeError
from realface.core.recipe import check_recipe
from realface.models.baseline.config import BaselineConfig
from realface.models.baseline.network import Baseline
from realface.models.baseline.task import BaselineTask
from realface.models.losses import mask_errors, pair_losses, ranking_loss
from realface.models.outputs import Output
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.recce.task import RecceTask

SIZE = 64
LITE = {"encoder": "tf_efficientnet_lite0", "input_size": SIZE}
CASES = {
    "baseline-lite": (Baseline, BaselineTask, BaselineConfig(**LITE, mask_head=True)),
    "baseline-folded": (Baseline, BaselineTask, BaselineConfig(**LITE, mask_head=True, folded_norms=True)),
    "baseline-light": (Baseline, BaselineTask, BaselineConfig(encoder="light_xception", mask_head=True)),
    "recce-lite": (Recce, RecceTask, RecceConfig(**LITE, mask_head=True)),
}


@pytest.fixture(params=CASES)
def task(request):
    network, task, config = CASES[request.param]
    torch.manual_seed(0)
    return task(network(config)).train()


def a_batch(count=4):
    image = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[1::2, :, 16:48, 16:48] = 1
    return image, torch.arange(count) % 2, mask


def test_ranking_loss_compares_each_real_with_its_own_fake():
    loss = ranking_loss(torch.tensor([0.0, 0.0, 3.0, 1.0]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(1 + math.exp(2))) / 2)


def test_mask_errors_average_the_mask_over_each_place():
    mask = torch.zeros(2, 1, 4, 4)
    mask[1, 0, :2, :2] = 0.5
    mask[1, 0, 2, 2] = 0.05  # too little to count
    predicted = torch.zeros(2, 1, 2, 2)
    predicted[1, 0, 0, 0] = 2.0
    errors = mask_errors(predicted, mask)
    assert errors.tolist() == pytest.approx([math.log(2), (3 * math.log(2) + math.log(1 + math.exp(-2))) / 4])


def test_pair_losses_of_a_network_without_mask_head_are_the_ranking_only():
    output = Output(torch.zeros(2))
    assert set(pair_losses(output, output.logit, torch.zeros(2, 1, 8, 8), gather=lambda rows: rows)) == {"ranking"}


def test_mask_head_sees_a_map_at_stride_16(task):
    output = task.network(a_batch()[0])
    assert output.manipulation_mask.shape == (4, 1, SIZE // 16, SIZE // 16)
    assert -2.6 < float(output.manipulation_mask.detach().mean()) < -1.4


def test_a_step_on_pairs_reaches_every_parameter(task):
    result = task(*a_batch())
    assert {"classification", "ranking", "mask"} <= set(result.parts)
    result.loss.backward()
    assert [name for name, value in task.named_parameters() if value.grad is None] == []


def test_the_loss_is_the_weighted_sum_of_its_parts():
    network, task, config = CASES["baseline-light"]
    weighted = task(network(config.model_copy(update={"rank_weight": 2.0, "mask_weight": 3.0})))
    result = weighted(*a_batch())
    parts = {name: part.item() for name, part in result.parts.items()}
    expected = parts["classification"] + 2 * parts["ranking"] + 3 * parts["mask"]
    assert result.loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "resnet10t", "vit_tiny_patch16_224", "light_xception"])
def test_a_mask_head_leaves_the_logits_as_they_were(encoder):
    plain = Baseline(BaselineConfig(encoder=encoder, input_size=SIZE)).eval()
    headed = Baseline(BaselineConfig(encoder=encoder, input_size=SIZE, mask_head=True)).eval()
    assert headed.load_state_dict(plain.state_dict(), strict=False).missing_keys == [
        "mask_head.weight",
        "mask_head.bias",
    ]
    image = a_batch(2)[0]
    with torch.no_grad():
        torch.testing.assert_close(headed(image).logit, plain(image).logit)


def test_an_encoder_without_a_map_at_stride_16_is_refused():
    settings = {"mask_head": True, "encoder": "vit_base_patch32_224", "input_size": 224}
    with pytest.raises(RecipeError, match="with vit_base_patch32_224: it has no map at stride 16; leave mask_head out"):
        check_recipe(BaselineConfig, settings, where="recipe")


def test_the_first_scores_of_an_efficientnet_are_near_a_half():
    torch.manual_seed(0)
    network = Baseline(BaselineConfig(**LITE)).eval()
    with torch.no_grad():
        network.encoder.bn2.weight.fill_(3)  # features as large as pretrained weights give
        logit = network(a_batch()[0]).logit
    assert logit.abs().max() < 1
