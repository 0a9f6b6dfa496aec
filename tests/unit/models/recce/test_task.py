import pytest
import torch

from realface.core.labels import Label
from realface.models.outputs import Task
from realface.models.recce.config import RecceConfig
from realface.models.recce.network import Recce
from realface.models.recce.task import RecceTask

REAL, FAKE = Label.REAL, Label.FAKE


def task(**changes):
    torch.manual_seed(0)
    return RecceTask(Recce(RecceConfig(encoder="light_xception", **changes)))


def images(count):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_is_a_task():
    assert isinstance(task(), Task)


def test_the_loss_is_the_weighted_sum_of_its_parts():
    result = task(lambda_1=0.3, lambda_2=0.7)(images(4), torch.tensor([REAL, FAKE, REAL, FAKE]))
    parts = result.parts
    assert list(parts) == ["classification", "reconstruction", "metric"]
    expected = parts["classification"] + 0.3 * parts["reconstruction"] + 0.7 * parts["metric"]
    assert result.loss.item() == pytest.approx(expected.item())
    assert not any(part.requires_grad for part in parts.values())


def test_the_reconstruction_part_is_measured_in_the_networks_own_range():
    # [-1, 1] is twice as long as [0, 1]
    image, label = images(2), torch.tensor([REAL, REAL])
    result = task().eval()(image, label)
    in_unit_range = (result.output.reconstruction - image).abs().mean()
    assert result.parts["reconstruction"].item() == pytest.approx(2 * in_unit_range.item(), rel=1e-5)


@pytest.mark.parametrize("label", [[REAL], [FAKE], [REAL, REAL, REAL], [FAKE, FAKE, FAKE]])
@pytest.mark.parametrize("num_classes", [1, 2])
def test_one_image_or_one_class_gives_a_finite_loss_and_reaches_every_parameter(label, num_classes):
    trained = task(num_classes=num_classes).train()
    result = trained(images(len(label)), torch.tensor(label))
    result.loss.backward()
    assert torch.isfinite(result.loss)
    gradients = {name: parameter.grad for name, parameter in trained.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_a_batch_without_reals_has_no_reconstruction_loss():
    result = task()(images(2), torch.tensor([FAKE, FAKE]))
    assert result.parts["reconstruction"].item() == 0
    assert result.parts["metric"].item() == 3  # the margin of each of the three maps


def test_losses_are_computed_in_float32_under_half_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = task().train()(images(4), torch.tensor([REAL, FAKE, REAL, FAKE]))
    assert {part.dtype for part in result.parts.values()} == {torch.float32}
    result.loss.backward()


def test_the_same_seed_gives_the_same_step_bit_for_bit():
    label = torch.tensor([REAL, FAKE])
    steps = []
    for _ in range(2):
        trained = task().train()
        trained(images(2), label).loss.backward()
        steps.append([parameter.grad for parameter in trained.parameters()])
    assert all(torch.equal(first, second) for first, second in zip(*steps, strict=True))
