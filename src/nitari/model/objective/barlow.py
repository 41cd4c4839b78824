"""Barlow Twins: across two views, each number of the code correlates with itself and with no other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nitari.model.objective import Batch
from nitari.model.objective.agreement import projection


class BarlowTwins(nn.Module):
    """Zbontar et al., "Barlow Twins: self-supervised learning via redundancy reduction" (ICML 2021), on a projection of the
    code; the loss is divided by ``width``, so that its weight does not depend on it.
    """

    views = 2

    def __init__(self, width: int = 256, hidden: int = 256, redundancy: float = 0.005) -> None:
        super().__init__()
        self.width, self.hidden, self.redundancy = width, hidden, redundancy
        self.project: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        self.project = projection(network, self.hidden, self.width)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        one, two = (self.project(codes).float() for codes in batch.codes[:2])
        with torch.autocast(one.device.type, enabled=False):
            one, two = ((x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-5) for x in (one, two))
            correlation = one.T @ two / len(one)
            same = correlation.diagonal()
            on = (same - 1).square().sum()
            off = correlation.square().sum() - same.square().sum()
        return (on + self.redundancy * off) / self.width, {"barlow_correlation": same.mean().detach()}
