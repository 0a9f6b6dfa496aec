"""RECCE's multi-scale graph reasoning, as one batched contraction over all vertices."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GraphReasoning(nn.Module):
    """Adds information from two finer maps of the decoder to the encoder's map.

    Every position of the coarse map is a vertex a, linked to the r x r positions that it covers in a map r times finer:
    2 x 2 vertices b and 4 x 4 vertices c. The layers have no biases; parameters have the names of the authors'
    checkpoint.

    Args:
        width: number of channels A of the coarse map.
        fine_widths: numbers of channels of the maps that are 2 and 4 times finer.
        vertex_width: number of channels V of every embedded vertex.
        dropout: probability of the dropout on the result.

    Source: paper, 3.3; the release computes the same in a loop over the positions.
    """

    def __init__(self, width: int, fine_widths: tuple[int, int], *, vertex_width: int, dropout: float) -> None:
        super().__init__()
        self.va_embedding = _embedding_of_map(width, vertex_width)
        self.va_gated_b = nn.Sequential(nn.Conv2d(width, vertex_width, 1, bias=False), nn.Sigmoid())
        self.va_gated_c = nn.Sequential(nn.Conv2d(width, vertex_width, 1, bias=False), nn.Sigmoid())
        self.vb_embedding = _embedding_of_vertices(fine_widths[0], vertex_width)
        self.vc_embedding = _embedding_of_vertices(fine_widths[1], vertex_width)
        self.reweight_ab = nn.Sequential(nn.Linear(2 * vertex_width, 1, bias=False))
        self.reweight_ac = nn.Sequential(nn.Linear(2 * vertex_width, 1, bias=False))
        self.reproject = nn.Sequential(
            nn.Conv2d(3 * vertex_width, width, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1, bias=False),
            nn.Dropout(dropout),
        )

    def forward(self, coarse: Tensor, fine: Tensor, finest: Tensor) -> Tensor:
        """Return the contribution of the finer scales to the coarse map.

        Args:
            coarse: map of the encoder, (B, A, h, w).
            fine: map of the decoder, (B, _, 2h, 2w).
            finest: map of the decoder, (B, _, 4h, 4w).

        Returns:
            (B, A, h, w).
        """
        a = self.va_embedding(coarse)
        b = self.vb_embedding(linked_vertices(fine, ratio=2))
        c = self.vc_embedding(linked_vertices(finest, ratio=4))
        from_b = (1 - self.va_gated_b(coarse)) * _aggregate(a, b, self.reweight_ab)
        from_c = (1 - self.va_gated_c(coarse)) * _aggregate(a, c, self.reweight_ac)
        carried: Tensor = self.reproject(torch.cat([from_b, from_c, a], dim=1).sigmoid())
        return carried


def linked_vertices(feature: Tensor, *, ratio: int) -> Tensor:
    """Group vertices by the coarse position: (B, C, ratio * h, ratio * w) -> (B, h, w, ratio * ratio, C)."""
    batch, width, rows, columns = feature.shape
    cells = feature.reshape(batch, width, rows // ratio, ratio, columns // ratio, ratio)
    return cells.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)


def _aggregate(a: Tensor, linked: Tensor, reweight: nn.Sequential) -> Tensor:
    """Return the weighted sum of each vertex's linked vertices.

    A link's weight is the softmax of relu(linear([a, linked])). The part of `a` is the same for all links of a vertex,
    so it is computed once, and the pairs are never stored in memory.

    Args:
        a: embedded coarse vertices, (B, V, h, w).
        linked: the embedded vertices linked to each coarse vertex, (B, h, w, K, V).
        reweight: contains the linear layer with weights (1, 2V).

    Returns:
        (B, V, h, w).
    """
    of_a, of_linked = reweight.get_parameter("0.weight").chunk(2, dim=1)
    strength = F.linear(a.permute(0, 2, 3, 1), of_a).unsqueeze(3) + F.linear(linked, of_linked)  # (B, h, w, K, 1)
    weight = strength.relu().softmax(dim=3)
    return torch.einsum("bhwkv,bhwk->bvhw", linked, weight.squeeze(4))


def _embedding_of_map(in_width: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_width, out_width, 1, bias=False),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_width, out_width, 1, bias=False),
    )


def _embedding_of_vertices(in_width: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_width, out_width, bias=False), nn.ReLU(inplace=True), nn.Linear(out_width, out_width, bias=False)
    )
