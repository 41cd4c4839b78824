"""Reconstruction: the picture back from its code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nitari.errors import ConfigError
from nitari.model.objective import Batch


class Reconstruction(nn.Module):
    """Mean squared error of each view decoded from its own code, over the variance of the pictures.

    1 is what a grey picture would score. Decoding augmented views into clean ones did worse.
    """

    def __init__(self, views: int = 1) -> None:
        super().__init__()
        self.views = views

    def prepare(self, network: nn.Module) -> None:
        needs_decoder(network, "reconstruction")

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        pictures = torch.cat(batch.views[: self.views]).float()
        decoded = batch.network.decode(torch.cat(batch.codes[: self.views]))  # type: ignore[operator]
        error = (decoded.float() - pictures).square().mean()
        return error / pictures.var().clamp_min(1e-3), {}


def needs_decoder(network: nn.Module, objective: str) -> None:
    """Raises ConfigError where there is none."""
    if getattr(network, "decoder", None) is None:
        raise ConfigError(
            f"The objective '{objective}' needs a decoder, and this {type(network).__name__} has none. "
            f"Give it one with model.decoder=64, or leave {objective} out, as objective=contrast does"
        )
