"""VICReg: two views agree, every number of the code keeps its variance, and no two tell the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.model.objective import Batch
from nitari.model.objective.agreement import projection


class VicReg(nn.Module):
    """Bardes, Ponce and LeCun, "VICReg: variance-invariance-covariance regularization" (ICLR 2022), on a projection of
    the code; weights as there, over 25.
    """

    views = 2

    def __init__(self, width: int = 256, hidden: int = 256, variance: float = 1.0, covariance: float = 0.04) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.variance, self.covariance = variance, covariance
        self.project: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        self.project = projection(network, self.hidden, self.width)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        one, two = (self.project(codes).float() for codes in batch.codes[:2])
        with torch.autocast(one.device.type, enabled=False):
            spread = sum((_hinge(x) for x in (one, two)), one.new_zeros(())) / 2
            shared = sum((_off_diagonal(x) for x in (one, two)), one.new_zeros(()))
            apart = functional.mse_loss(one, two)
        loss = apart + self.variance * spread + self.covariance * shared
        return loss, {"vicreg_apart": apart.detach(), "vicreg_spread": spread.detach()}


def _hinge(x: Tensor) -> Tensor:
    """How far deviations fall short of 1."""
    return functional.relu(1 - (x.var(0, unbiased=False) + 1e-4).sqrt()).mean()


def _off_diagonal(x: Tensor) -> Tensor:
    n, d = x.shape
    centred = x - x.mean(0)
    covariance = centred.T @ centred / max(n - 1, 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / d
