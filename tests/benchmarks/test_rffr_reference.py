import pytest
import torch

from realface.bench.references import load_reference
from realface.models.rffr.config import MaeConfig, RffrConfig
from realface.models.rffr.mae import MaskedAutoencoder
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import grid_of, inpaint, residual_of
from realface.models.rffr.task import RffrTask

reference = load_reference("rffr")
ReleasedTask, SequentialResidual = reference.ReleasedTask, reference.SequentialResidual

MAE = MaeConfig(size="tiny", input_size=64, patch_size=8)
LOSS = {"rtol": 2**-22, "atol": 0}
"""Of the float32 loss of logits in float64: its logarithms are right to a few times 2**-24."""
CONFIG = RffrConfig(mae=MAE, branch="vit_tiny_patch16_224", block_probability=0.5)


def faces() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("used", [None, [1, 2]])
def test_block_by_block_the_residual_is_that_of_batched_passes(used: list[int] | None) -> None:
    torch.manual_seed(0)
    mae, grid, image = MaskedAutoencoder(MAE).double(), grid_of(MAE, MAE.residual), faces()
    sequential = SequentialResidual(mae, [block.hidden for block in grid.blocks]).residual(image, used)
    chosen = None if used is None else torch.tensor([number in used for number in range(4)]).expand(2, -1)
    with torch.no_grad():
        expected = residual_of(image, inpaint(mae, image, grid, used=chosen), amplification=4.0)
    assert expected.abs().mean() > 0.1
    torch.testing.assert_close(sequential, expected, rtol=0, atol=1e-9)


def test_a_training_step_has_the_loss_of_ours() -> None:
    torch.manual_seed(0)
    network, image, label = Rffr(CONFIG).double().train(), faces(), torch.tensor([0, 1])
    for seed in range(3):
        torch.manual_seed(seed)
        released = ReleasedTask(network).loss(image, label)
        torch.manual_seed(seed)
        torch.testing.assert_close(released.float(), RffrTask(network)(image, label).loss, **LOSS)


def test_where_no_block_is_drawn_all_are_used() -> None:
    torch.manual_seed(0)
    network = Rffr(CONFIG.model_copy(update={"block_probability": 1e-9})).double()
    released = ReleasedTask(network).loss(faces(), torch.tensor([0, 1]))
    torch.testing.assert_close(released.float(), RffrTask(network)(faces(), torch.tensor([0, 1])).loss, **LOSS)
