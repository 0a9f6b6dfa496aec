"""RECCE as its authors' release computes it: a loop over positions, and PyTorch's default memory layout."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from realface.models.recce.graph_reasoning import GraphReasoning, linked_vertices
from realface.models.recce.network import Recce


class LoopedReasoning(GraphReasoning):
    """The graph reasoning of the same parameters, position by position.

    As in the release, all vertices are embedded at once, and the links of one position after the other are weighed.

    Args:
        batched: whose parameters are used; they are shared, not copied.
    """

    def __init__(self, batched: GraphReasoning) -> None:
        nn.Module.__init__(self)
        for name, part in batched.named_children():
            self.add_module(name, part)

    def forward(self, coarse: Tensor, fine: Tensor, finest: Tensor) -> Tensor:
        """As `GraphReasoning.forward`."""
        a = self.va_embedding(coarse).flatten(2)  # (B, V, hw)
        from_b = _looped(
            a,
            self.vb_embedding(linked_vertices(fine, ratio=2).flatten(1, 2)),
            gate=(1 - self.va_gated_b(coarse)).flatten(2),
            reweight=self.reweight_ab,
        )
        from_c = _looped(
            a,
            self.vc_embedding(linked_vertices(finest, ratio=4).flatten(1, 2)),
            gate=(1 - self.va_gated_c(coarse)).flatten(2),
            reweight=self.reweight_ac,
        )
        joined = torch.cat([from_b, from_c, a], dim=1).sigmoid()
        carried: Tensor = self.reproject(joined.reshape(len(joined), -1, *coarse.shape[2:]))
        return carried


def _looped(a: Tensor, linked: Tensor, *, gate: Tensor, reweight: nn.Sequential) -> Tensor:
    """(B, V, hw), (B, hw, K, V) and (B, V, hw) -> (B, V, hw)."""
    num_links = linked.shape[2]
    sums = []
    for position in range(a.shape[2]):
        vertices = linked[:, position]  # (B, K, V)
        pairs = torch.cat([torch.stack([a[:, :, position]] * num_links, dim=1), vertices], dim=2)
        weight = reweight(pairs).relu().softmax(dim=1)  # (B, K, 1)
        sums.append(torch.bmm(vertices.transpose(1, 2), weight).squeeze(2) * gate[:, :, position])
    return torch.stack(sums, dim=2)


def as_released(network: Recce) -> Recce:
    """A copy that computes as the release does, with the same parameters."""
    released = copy.deepcopy(network)
    if released.reasoning is not None:
        released.reasoning = LoopedReasoning(released.reasoning)
    return released.to(memory_format=torch.contiguous_format)
