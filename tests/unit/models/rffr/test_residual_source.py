import pytest
import torch
from torch import nn

from realface.core.errors import ArtifactError, ModelInputError
from realface.models.rffr.config import MaeConfig, ResidualSection, RffrConfig
from realface.models.rffr.mae_network import RffrMae
from realface.models.rffr.network import Rffr
from realface.models.rffr.residual import grid_of, inpaint
from realface.models.rffr.residual_source import ResidualSource, mae_of, residual_source

SMALL = {"size": "tiny", "input_size": 64, "patch_size": 8}


def mae(**settings):
    torch.manual_seed(0)
    return RffrMae(MaeConfig(**{**SMALL, **settings})).eval()


def detector(**settings):
    torch.manual_seed(0)
    return Rffr(RffrConfig(mae=SMALL, branch="vit_tiny_patch16_224", **settings)).eval()


def test_an_maes_source_is_its_autoencoder_and_its_own_residual():
    network = mae(residual={"mode": "fast"})
    source = residual_source(network, where="x")
    assert source.mae is network.mae is mae_of(network, where="x")
    assert source.section == ResidualSection(mode="fast")


def test_a_detectors_source_is_its_mae_and_the_detectors_residual():
    network = detector(residual={"amplification": 2.0})
    source = residual_source(network, where="x")
    assert source.mae is network.mae is mae_of(network, where="x")
    assert source.section == ResidualSection(amplification=2.0)


def test_a_network_without_mae_is_refused():
    with pytest.raises(ArtifactError, match=r"a/model has no MAE; give an artifact of rffr-mae or rffr"):
        residual_source(nn.Linear(1, 1), where="a/model")


def test_an_mae_that_cannot_inpaint_is_refused():
    with pytest.raises(ModelInputError, match="a/model: this MAE was trained with norm_pix"):
        mae_of(mae(norm_pix=True), where="a/model")


@pytest.mark.parametrize("section", [{}, {"mode": "fast", "outer_ring": True, "amplification": 3.0, "chunk_size": 2}])
def test_the_residual_is_the_amplified_difference_of_all_blocks(section):
    source = residual_source(mae(residual=section).double(), where="x")
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    residual = source.residual(image)
    assert not residual.requires_grad
    grid = grid_of(source.mae.config, source.section)
    with torch.no_grad():
        inpainted = inpaint(source.mae, image, grid, mode=source.section.mode)
    expected = (source.section.amplification * (inpainted - image)).clamp(-1, 1)
    torch.testing.assert_close(residual, expected, atol=1e-9, rtol=0)


# 8 x 8 patches of 8 pixels: 2 blocks a side from patch 1 to 6; 7 x 7: 1 block from patch 2 to 4
@pytest.mark.parametrize(
    ("input_size", "outer_ring", "covered"), [(64, False, (8, 56)), (64, True, (0, 64)), (56, False, (16, 40))]
)
def test_the_covered_part_of_a_face_is_that_with_a_residual(input_size, outer_ring, covered):
    network = mae(input_size=input_size, residual={"outer_ring": outer_ring})
    source = ResidualSource(network.mae, network.config.residual)
    assert source.covered == covered
    residual = source.residual(torch.rand(1, 3, input_size, input_size))[0].abs().sum(0)
    rows, columns = residual.sum(1).nonzero(), residual.sum(0).nonzero()
    assert (int(rows[0]), int(rows[-1]) + 1) == (int(columns[0]), int(columns[-1]) + 1) == covered
