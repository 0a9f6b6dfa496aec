"""RECCE as its authors' release computes it: a loop over positions, in PyTorch's default memory layout."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from realface.models.recce.graph_reasoning import GraphReasoning, linked_vertices
from realface.models.recce.network import Recce


class LoopedReasoning(GraphReasoning):
    """Graph reasoning that computes the positions in sequence, with the parameters of a batched module.

    As in the release, all vertices are embedded at once, and the links are weighted position by position.

    Args:
        batched: the module whose parameters are used. They are shared, not copied.
    """

    def __init__(self, batched: GraphReasoning) -> None:
        nn.Module.__init__(self)
        for name, part in batched.named_children():
            self.add_module(name, part)

    def forward(self, coarse: Tensor, fine: Tensor, finest: Tensor) -> Tensor:
        """Return the contribution of the finer scales to the coarse map, like `GraphReasoning.forward`.

        Args:
            coarse: (B, C1, h, w), the vertices.
            fine: (B, C2, 2h, 2w), four links per vertex.
            finest: (B, C3, 4h, 4w), sixteen links per vertex.

        Returns:
            (B, C1, h, w).
        """
        a = self.va_embedding(coarse).flatten(2)  # (B, V, hw)
        from_b = _weight_links(
            a,
            self.vb_embedding(linked_vertices(fine, ratio=2).flatten(1, 2)),
            gate=(1 - self.va_gated_b(coarse)).flatten(2),
            reweight=self.reweight_ab,
        )
        from_c = _weight_links(
            a,
            self.vc_embedding(linked_vertices(finest, ratio=4).flatten(1, 2)),
            gate=(1 - self.va_gated_c(coarse)).flatten(2),
            reweight=self.reweight_ac,
        )
        joined = torch.cat([from_b, from_c, a], dim=1).sigmoid()
        output: Tensor = self.reproject(joined.reshape(len(joined), -1, *coarse.shape[2:]))
        return output


def _weight_links(a: Tensor, linked: Tensor, *, gate: Tensor, reweight: nn.Sequential) -> Tensor:
    """Return the gated, weighted sum of the links of each position.

    Args:
        a: (B, V, hw), the embedded vertices.
        linked: (B, hw, K, V), the embedded links.
        gate: (B, V, hw), in [0, 1].
        reweight: network from a vertex and its link to a weight.

    Returns:
        (B, V, hw).
    """
    num_links = linked.shape[2]
    sums = []
    for position in range(a.shape[2]):
        vertices = linked[:, position]  # (B, K, V)
        pairs = torch.cat([torch.stack([a[:, :, position]] * num_links, dim=1), vertices], dim=2)
        weight = reweight(pairs).relu().softmax(dim=1)  # (B, K, 1)
        sums.append(torch.bmm(vertices.transpose(1, 2), weight).squeeze(2) * gate[:, :, position])
    return torch.stack(sums, dim=2)


def as_released(network: Recce) -> Recce:
    """Return a copy of a network that computes as the release does, with equal parameters."""
    released = copy.deepcopy(network)
    if released.reasoning is not None:
        released.reasoning = LoopedReasoning(released.reasoning)
    return released.to(memory_format=torch.contiguous_format)
