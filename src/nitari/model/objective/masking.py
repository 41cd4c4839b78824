"""Masking: what is hidden of a picture, from what is left."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError
from nitari.model.objective import Batch
from nitari.model.objective.reconstruction import needs_decoder


class Masking(nn.Module):
    """Mean squared error on the hidden cells of the clean picture, decoded from the code of what is left, over the
    pictures' variance: Pathak et al., "Context encoders" (CVPR 2016); He et al., "Masked autoencoders are scalable vision
    learners" (CVPR 2022). ``share`` of ``cells`` a side are hidden under grey. One more pass through the encoder.
    """

    views = 1

    def __init__(self, share: float = 0.5, cells: int = 8) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise ConfigError(f"The objective 'masking' hides a share of {share}. Give more than 0 and less than 1")
        self.share = share
        self.cells = cells

    def prepare(self, network: nn.Module) -> None:
        needs_decoder(network, "masking")
        size = int(network.size)  # type: ignore[arg-type]
        if size % self.cells:
            raise ConfigError(
                f"The objective 'masking' has {self.cells} cells a side, which do not divide {size} pixels"
            )

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        pictures = batch.pictures.float()
        drawn = torch.rand(len(pictures), 1, self.cells, self.cells, generator=batch.generator)
        hidden = (drawn < self.share).float().to(pictures.device)
        hidden = functional.interpolate(hidden, size=pictures.shape[-2:], mode="nearest")
        network = batch.network
        decoded = network.decode(network.encode(pictures * (1 - hidden) + 0.5 * hidden))  # type: ignore[operator]
        error = ((decoded.float() - pictures).square() * hidden).sum() / (3 * hidden.sum()).clamp_min(1.0)
        return error / pictures.var().clamp_min(1e-3), {}
