"""Structure: the picture back from its code, judged by luminance, contrast and structure rather than pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.model.objective import Batch
from nitari.model.objective.reconstruction import needs_decoder

_STABLE = (0.01**2, 0.03**2)


class Structural(nn.Module):
    """1 - SSIM between each view and what its code is decoded to, over windows of ``window`` pixels: Wang, Bovik, Sheikh
    and Simoncelli, "Image quality assessment: from error visibility to structural similarity" (IEEE TIP 2004).
    """

    def __init__(self, window: int = 7, views: int = 1) -> None:
        super().__init__()
        self.window = window
        self.views = views

    def prepare(self, network: nn.Module) -> None:
        needs_decoder(network, "structural")

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        pictures = torch.cat(batch.views[: self.views]).float()
        decoded = batch.network.decode(torch.cat(batch.codes[: self.views]))  # type: ignore[operator]
        return 1 - similarity(decoded.float(), pictures, self.window), {}


def similarity(one: Tensor, two: Tensor, window: int = 7) -> Tensor:
    """(n, 3, h, w) in [0, 1] twice -> their mean SSIM, 1 for equal pictures; windows are uniform."""
    mean = [functional.avg_pool2d(x, window, 1) for x in (one, two)]
    squares = [functional.avg_pool2d(x * y, window, 1) for x, y in ((one, one), (two, two), (one, two))]
    variances = squares[0] - mean[0] ** 2 + squares[1] - mean[1] ** 2
    together = squares[2] - mean[0] * mean[1]
    light = (2 * mean[0] * mean[1] + _STABLE[0]) / (mean[0] ** 2 + mean[1] ** 2 + _STABLE[0])
    return (light * (2 * together + _STABLE[1]) / (variances + _STABLE[1])).mean()
