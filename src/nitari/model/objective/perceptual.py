"""Perception: the picture back from its code, judged by the features of a network that somebody else trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.model.objective import Batch
from nitari.model.objective.reconstruction import needs_decoder
from nitari.model.vgg import Vgg


class Perceptual(nn.Module):
    """Mean squared error between VGG's features of each view and of what its code is decoded to, over their variance:
    Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution" (ECCV 2016).

    ``weights`` is a local file or ``download``, as for ``model.vgg``; the network stays as it is. ``layer`` counts its
    modules from the start: 9 is past the second pooling without batch normalisation, where textures are told apart.
    """

    def __init__(
        self,
        weights: str | None = None,
        depth: int = 16,
        batch_norm: bool = False,
        layer: int = 9,
        width: float = 1.0,
        views: int = 1,
    ) -> None:
        super().__init__()
        self.views = views
        self._spec: dict[str, Any] = {
            "depth": depth,
            "batch_norm": batch_norm,
            "weights": weights,
            "width": width,
            "decoder": 0,
        }
        self.layer = layer
        self._frozen: list[nn.Module] = []  # in a list, so that it is neither trained nor saved with the module's state
        self._scale: tuple[Tensor, Tensor]

    def prepare(self, network: nn.Module) -> None:
        needs_decoder(network, "perceptual")
        frozen = Vgg(32, **self._spec)
        self._scale = (frozen.mean, frozen.deviation)
        self._frozen = [frozen.features[: self.layer + 1].eval().requires_grad_(False)]

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        pictures = torch.cat(batch.views[: self.views])
        decoded = batch.network.decode(torch.cat(batch.codes[: self.views]))  # type: ignore[operator]
        with torch.no_grad():
            wanted = self._features(pictures)
        found = self._features(decoded)
        return functional.mse_loss(found, wanted) / wanted.var().clamp_min(1e-6), {}

    def _features(self, pictures: Tensor) -> Tensor:
        frozen = self._frozen[0].to(pictures.device)
        mean, deviation = (part.to(pictures.device) for part in self._scale)
        features: Tensor = frozen((pictures.float() - mean) / deviation)
        return features.float()
