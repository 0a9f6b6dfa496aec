import numpy as np
import torch

from realface.manifest.manifest import Manifest
from realface.models.method import RealOnly
from realface.models.outputs import Output, ReconstructionOutput
from realface.training.pictures import inpainting_sheet, reconstruction_grid, spread_rows


class Halving(torch.nn.Module):
    """Reconstructs every face half as bright, and is surprised at the corner."""

    def forward(self, image):
        error_map = torch.zeros_like(image[:, :1])
        error_map[:, :, 0, 0] = 3.0
        return ReconstructionOutput(image.mean(dim=(1, 2, 3)), image / 2, error_map)


class Plain(torch.nn.Module):
    def forward(self, image):
        return Output(image.mean(dim=(1, 2, 3)))


def test_reals_come_before_fakes_evenly_spread(write_faces):
    rows = Manifest.read(write_faces())
    chosen = spread_rows(rows)
    assert rows.labels[chosen].tolist() == [0] * 4 + [1] * 4
    assert chosen == sorted(chosen[:4]) + sorted(chosen[4:])
    assert len(set(chosen)) == 8


def test_grid_has_a_row_of_faces_reconstructions_and_error_maps(write_faces):
    rows = Manifest.read(write_faces()).filter(split="val")
    [(name, grid)] = reconstruction_grid(Halving(), rows, input_size=8, device=torch.device("cpu")).items()
    assert name == "val/face_reconstruction_error_map"
    assert grid.shape == (3, 3 * 12 + 4, 8 * 12 + 4)  # 8 faces of 8 pixels with 4 between them
    face, reconstruction, error_map = (grid[:, 4 + 12 * row : 12 + 12 * row, 4:12] for row in range(3))
    torch.testing.assert_close(reconstruction, face / 2)
    grey = face[:, 7, 7] @ torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(error_map[:, 7, 7], grey.expand(3), rtol=0, atol=0.01)  # no error there: no colour
    assert error_map[0, 0, 0] > error_map[2, 0, 0] + 0.2  # yellow at the corner


def test_network_that_does_not_reconstruct_gives_no_picture(write_faces):
    rows = Manifest.read(write_faces())
    assert reconstruction_grid(Plain(), rows, input_size=8, device=torch.device("cpu")) == {}


def test_sheet_is_what_the_method_draws_of_real_faces(write_faces):
    def draw(network, image):
        assert not network.training
        assert image.shape == (2, 3, 8, 8)
        sheet = np.zeros((4, 6, 3), np.uint8)
        sheet[0, 5] = (255, 0, 51)
        return sheet

    rows = Manifest.read(write_faces(videos=[("a", 0, "val")]))
    real_only = RealOnly(errors=None, fit=None, sheet=draw)
    [(name, sheet)] = inpainting_sheet(Plain(), real_only, rows, input_size=8, device=torch.device("cpu")).items()
    assert (name, sheet.shape) == ("val/inpainting", (3, 4, 6))
    torch.testing.assert_close(sheet[:, 0, 5], torch.tensor([1.0, 0.0, 0.2]))
