"""Orientation: from an augmented view, the oriented gradients of the picture as it was. A teacher that needs no labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError
from nitari.model.objective import Batch

BINS = 9
_CLIP = 0.2


class Orientation(nn.Module):
    """1 - cosine between a linear reading of each view's code and the clean picture's histogram of oriented gradients,
    centred on the batch; with ``mirror``, that of the mirrored picture added up.

    Oriented gradients as what a network predicts: Wei et al., "Masked feature prediction for self-supervised visual
    pre-training" (CVPR 2022). Here the views are augmented rather than masked, so that the code learns which changes
    leave the shape alone; it then retrieves better than the histogram it was taught by.
    """

    def __init__(self, cells: int = 8, views: int = 1, mirror: bool = True) -> None:
        super().__init__()
        self.cells = cells
        self.views = views
        self.mirror = mirror
        self.read: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        size = int(network.size)  # type: ignore[arg-type]
        if size % self.cells or size // self.cells < 2:
            raise ConfigError(
                f"The objective 'orientation' has {self.cells} cells a side, which do not divide {size} pixels"
            )
        self.read = nn.Linear(int(network.dim), (self.cells - 1) ** 2 * 4 * BINS)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            target = oriented_gradients(batch.pictures.float(), self.cells, mirror=self.mirror)
            target = target - target.mean(dim=0)
        read = self.read(torch.cat(batch.codes[: self.views])).float()
        similarity = functional.cosine_similarity(read, target.repeat(self.views, 1), dim=1)
        return 1 - similarity.mean(), {}


def oriented_gradients(pictures: Tensor, cells: int, *, mirror: bool = True) -> Tensor:
    """(n, 3, size, size) in [0, 1] -> (n, (cells - 1)² x 36); with ``mirror``, a picture's and its mirror image's added up.

    As ``nitari.extractor.hog``: Dalal and Triggs, "Histograms of oriented gradients for human detection" (CVPR 2005).
    """
    gamma = functional.pad(pictures.sqrt(), (1, 1, 1, 1), mode="replicate")
    dx = gamma[:, :, 1:-1, 2:] - gamma[:, :, 1:-1, :-2]
    dy = gamma[:, :, 2:, 1:-1] - gamma[:, :, :-2, 1:-1]
    strongest = (dx * dx + dy * dy).argmax(dim=1, keepdim=True)
    dx, dy = dx.gather(1, strongest)[:, 0], dy.gather(1, strongest)[:, 0]
    magnitude = (dx * dx + dy * dy).sqrt()
    position = torch.atan2(dy, dx).mul_(BINS / math.pi).remainder_(BINS)
    low = position.floor().clamp_(max=BINS - 1)
    share = magnitude * (position - low)
    low = low.long()[:, None]
    bins = magnitude.new_zeros(len(pictures), BINS, *magnitude.shape[1:])
    bins.scatter_(1, low, (magnitude - share)[:, None])
    bins.scatter_add_(1, (low + 1) % BINS, share[:, None])
    side = pictures.shape[-1] // cells
    sums = functional.avg_pool2d(bins, side) * side**2
    if not mirror:
        return _blocks(sums)
    mirrored = sums.flip(1, 3).roll(1, dims=1)  # an angle a becomes pi - a: bin b becomes bin -b
    return _blocks(sums) + _blocks(mirrored)


def _blocks(cells: Tensor) -> Tensor:
    """(n, 9, c, c) -> (n, (c - 1)² x 36): overlapping 2 x 2 blocks, unit length, clipped at 0.2, unit length again."""
    corners = [cells[:, :, :-1, :-1], cells[:, :, :-1, 1:], cells[:, :, 1:, :-1], cells[:, :, 1:, 1:]]
    blocks = torch.cat(corners, dim=1).permute(0, 2, 3, 1)
    for clip in (_CLIP, None):
        blocks = blocks / (blocks.square().sum(dim=3, keepdim=True) + 1e-2).sqrt()
        blocks = blocks.clamp(max=clip) if clip else blocks
    return blocks.flatten(1)
