import pytest
import torch
from torch.nn import functional as F

from realface.core.labels import Label
from realface.models.outputs import Task
from realface.models.rffr.blocks import draw_masks
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.task import MaeTask, RffrTask

REAL, FAKE = Label.REAL, Label.FAKE
MAE = {"size": "tiny", "input_size": 64, "patch_size": 8}


def mae_task(gather=None, **settings):
    torch.manual_seed(0)
    network = RffrMae(MaeConfig(**{**MAE, "input_size": 40, **settings}))
    network.mae.blocks, network.mae.decoder_blocks = network.mae.blocks[:2], network.mae.decoder_blocks[:2]
    return MaeTask(network) if gather is None else MaeTask(network, gather=gather)


def rffr_task(gather=None, **settings):
    torch.manual_seed(0)
    network = Rffr(RffrConfig(mae=MAE, branch="vit_tiny_patch16_224", **settings))
    network.mae.blocks, network.mae.decoder_blocks = network.mae.blocks[:2], network.mae.decoder_blocks[:2]
    for branch in (network.backbone_1, network.backbone_2):
        branch.blocks = branch.blocks[:2]
    return RffrTask(network) if gather is None else RffrTask(network, gather=gather)


def images(count, size=40):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def doubled(rows):
    """As two processes with the same batch."""
    return torch.cat([rows, rows])


def reals(count):
    return torch.full((count,), int(REAL))


def test_both_are_tasks():
    assert isinstance(mae_task(), Task)
    assert isinstance(rffr_task(), Task)


@pytest.mark.parametrize("settings", [{}, {"masking": "block", "blocks_per_image": 1}])
def test_the_maes_loss_is_the_mean_squared_error_of_the_hidden_patches(settings):
    task = mae_task(pixel_mean=(0.5, 0.5, 0.5), pixel_std=(0.25, 0.25, 0.25), **settings).double()
    image = images(2).double()
    torch.manual_seed(3)
    result = task(image, reals(2))
    torch.manual_seed(3)
    visible, hidden = draw_masks(task.network.config, 2)
    mae = task.network.mae
    prediction = mae.predict(mae.embed(image), visible, hidden)
    squares = []
    for number in range(2):
        for place, patch in enumerate(hidden[number].tolist()):
            row, column = divmod(patch, 5)
            pixels = image[number, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].permute(1, 2, 0)
            squares.append((prediction[number, place] - ((pixels - 0.5) / 0.25).flatten()) ** 2)
    assert result.loss.item() == pytest.approx(torch.stack(squares).mean().item(), rel=2**-23)  # of the float32 loss
    assert result.parts == {"inpainting": result.loss}
    assert not result.parts["inpainting"].requires_grad
    assert result.output is None


def test_the_maes_loss_can_be_of_normalised_patches():
    task, image = mae_task(norm_pix=True), images(1)
    task.network.mae.decoder_pred.weight.data.zero_()  # predicts 0, of which normalised patches are 1 away
    assert task(image, reals(1)).loss.item() == pytest.approx((8 * 8 * 3 - 1) / (8 * 8 * 3), abs=1e-3)


def test_what_is_hidden_is_drawn_anew_from_torchs_global_generator():
    task, image = mae_task(), images(2)
    torch.manual_seed(3)
    first, second = task(image, reals(2)).loss, task(image, reals(2)).loss
    assert first != second
    torch.manual_seed(3)
    assert task(image, reals(2)).loss == first


def test_the_maes_loss_passes_through_gather():
    gathered = []

    def gather(rows):
        gathered.append(rows.shape)
        return doubled(rows) * 3

    alone, together = mae_task(), mae_task(gather)
    torch.manual_seed(3)
    expected = alone(images(2), reals(2)).loss
    torch.manual_seed(3)
    assert together(images(2), reals(2)).loss.item() == pytest.approx(3 * expected.item())
    assert gathered == [(2,)]


def test_a_step_of_the_mae_reaches_all_of_it():
    task = mae_task().train()
    task(images(1), reals(1)).loss.backward()
    assert all(parameter.grad is not None for parameter in task.network.mae.parameters())


@pytest.mark.parametrize("norm_pix", [False, True])
def test_the_maes_loss_is_float32_under_half_precision(norm_pix):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = mae_task(norm_pix=norm_pix)(images(2), reals(2))
    assert result.loss.dtype == torch.float32
    result.loss.backward()


def test_the_detectors_loss_is_cross_entropy():
    label = torch.tensor([REAL, FAKE, FAKE])
    result = rffr_task()(images(3, 64), label)
    torch.testing.assert_close(result.loss, F.cross_entropy(result.output.logits, label))
    assert result.parts == {"classification": result.loss}
    assert not result.parts["classification"].requires_grad


def test_logits_and_labels_of_all_processes_are_gathered():
    gathered = []

    def gather(rows):
        gathered.append(rows)
        return doubled(rows)

    label = torch.tensor([REAL, FAKE])
    result = rffr_task(gather)(images(2, 64), label)
    assert gathered[0] is result.output.logits
    assert gathered[1] is label
    torch.testing.assert_close(result.loss, F.cross_entropy(result.output.logits, label))


def test_a_step_of_the_detector_reaches_both_branches_and_not_the_mae():
    task = rffr_task().train()
    task(images(2, 64), torch.tensor([REAL, FAKE])).loss.backward()
    for part in (task.network.backbone_1, task.network.backbone_2, task.network.classifier):
        assert all(parameter.grad is not None for parameter in part.parameters())
        assert any(parameter.grad.any() for parameter in part.parameters())
    assert all(parameter.grad is None for parameter in task.network.mae.parameters())


def used_blocks(task, *, count=2, **inputs):
    """(B, blocks) that a step looks at, as far as its network is told."""
    told = []
    forward = task.network.forward
    task.network.forward = lambda image, **given: told.append(given["used"]) or forward(image, **given)
    task(images(count, 64), reals(count), **inputs)
    return told[0]


def test_a_step_looks_at_the_same_blocks_of_each_image_each_with_the_configs_probability():
    task = rffr_task(block_probability=0.5)
    torch.manual_seed(0)
    used = used_blocks(task)
    torch.manual_seed(0)
    expected = torch.rand(4) < 0.5
    assert 0 < expected.sum() < 4
    assert torch.equal(used, expected.expand(2, -1))


def test_a_step_looks_at_some_blocks_of_each_image_where_their_number_is_given():
    torch.manual_seed(3)
    used = used_blocks(rffr_task(blocks_per_image=2), count=8)
    assert used.shape == (8, 4)
    assert (used.sum(1) == 2).all()
    assert len(used.unique(dim=0)) > 1


def test_a_residual_computed_before_gives_the_same_loss_without_the_mae():
    task, image, label = rffr_task().double(), images(2, 64).double(), torch.tensor([REAL, FAKE])
    with torch.no_grad():
        stored = task.network(image).residual
    torch.manual_seed(3)
    computed = task(image, label)
    task.network.mae.predict = None
    torch.manual_seed(3)
    given = task(image, label, residual=stored)
    torch.testing.assert_close(given.loss, computed.loss, rtol=0, atol=2**-24)  # one step of the float32 loss


def test_the_detectors_loss_is_float32_under_half_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = rffr_task()(images(2, 64), torch.tensor([REAL, FAKE]))
    assert result.loss.dtype == torch.float32
