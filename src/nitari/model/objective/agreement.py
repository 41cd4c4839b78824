"""Agreement: two views of one picture belong together, and apart from those of other pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.model.objective import Batch


class Agreement(nn.Module):
    """InfoNCE over the batch, symmetric, on a projection of the code: van den Oord et al., arXiv:1807.03748;
    Chen et al., "A simple framework for contrastive learning of visual representations" (ICML 2020).
    """

    views = 2

    def __init__(self, temperature: float = 0.2, width: int = 128, hidden: int = 0) -> None:
        super().__init__()
        self.temperature = temperature
        self.width = width
        self.hidden = hidden
        self.project: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        self.project = projection(network, self.hidden, self.width)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        one, two = (functional.normalize(self.project(codes).float(), dim=1) for codes in batch.codes[:2])
        n = len(one)
        both = torch.cat([one, two])
        with torch.autocast(both.device.type, enabled=False):  # differences at this temperature are finer than bf16
            logits = both @ both.T / self.temperature
        logits.fill_diagonal_(float("-inf"))
        partner = torch.arange(2 * n, device=both.device).roll(n)
        loss = functional.cross_entropy(logits, partner)
        return loss, {"agreement_accuracy": (logits.argmax(1) == partner).float().mean()}


def projection(network: nn.Module, hidden: int, width: int) -> nn.Module:
    """From the network's code to ``width`` numbers, through ``hidden`` ones where that is not 0."""
    dim = int(network.dim)  # type: ignore[arg-type]
    if not hidden:
        return nn.Linear(dim, width)
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, width))
