"""Palette: from an augmented view, which colours the picture as it was has, and roughly where."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError
from nitari.model.objective import Batch

BINS = (4, 7, 7)  # lightness, red to green, yellow to blue
GAIN = 1.6


class Palette(nn.Module):
    """1 - cosine between a linear reading of each view's code and the clean picture's colour histograms, over grids of
    ``grids`` cells a side, centred on the batch; with ``mirror``, those of the mirrored picture added up.

    A spatial pyramid of colour: Lazebnik, Schmid and Ponce, "Beyond bags of features" (CVPR 2006), in the opponent colours
    of Swain and Ballard, "Color indexing" (IJCV 1991). Views that keep their hue make it easier; see ``experiment/colour``.
    """

    def __init__(self, grids: Sequence[int] = (1, 4), views: int = 1, mirror: bool = True) -> None:
        super().__init__()
        self.grids = tuple(grids)
        self.finest = max(self.grids, default=0)
        if any(grid < 1 or self.finest % grid for grid in self.grids) or not self.grids:
            raise ConfigError(
                f"The objective 'palette' has grids {list(grids)}. Each must divide the finest, as 1, 2, 4"
            )
        self.views = views
        self.mirror = mirror
        self.read: nn.Module = nn.Identity()

    def prepare(self, network: nn.Module) -> None:
        size = int(network.size)  # type: ignore[arg-type]
        if size % self.finest:
            raise ConfigError(
                f"The objective 'palette' has {self.finest} cells a side, which do not divide {size} pixels"
            )
        width = sum(grid * grid for grid in self.grids) * BINS[0] * BINS[1] * BINS[2]
        self.read = nn.Linear(int(network.dim), width)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            target = colours(batch.pictures.float(), self.grids, mirror=self.mirror)
            target = target - target.mean(dim=0)
        read = self.read(torch.cat(batch.codes[: self.views])).float()
        similarity = functional.cosine_similarity(read, target.repeat(self.views, 1), dim=1)
        return 1 - similarity.mean(), {}


def colours(pictures: Tensor, grids: Sequence[int], *, mirror: bool = True) -> Tensor:
    """(n, 3, size, size) in [0, 1] -> (n, cells of all grids x 196): square roots of histograms, each grid of unit length.

    As ``nitari.extractor.colour``: every pixel is shared between the eight nearest bins.
    """
    n, finest = len(pictures), max(grids)
    side = max(16 // finest, 1) * finest
    red, green, blue = functional.adaptive_avg_pool2d(pictures, side).unbind(1)
    axes = (
        (red + green + blue) / 3,
        ((red - green) / 2 * GAIN + 0.5).clamp(0, 1),
        ((red + green - 2 * blue) / 4 * GAIN + 0.5).clamp(0, 1),
    )
    places = [axis * (bins - 1) for axis, bins in zip(axes, BINS, strict=True)]
    low = [place.floor().clamp(max=bins - 2).long() for place, bins in zip(places, BINS, strict=True)]
    share = [place - floor for place, floor in zip(places, low, strict=True)]
    row = torch.arange(side, device=pictures.device) * finest // side
    cell = row[:, None] * finest + row
    total = BINS[0] * BINS[1] * BINS[2]
    sums = pictures.new_zeros(n, finest * finest * total)
    for up in itertools.product((0, 1), repeat=3):
        weight = pictures.new_ones(())
        at = cell * BINS[0]
        for axis, one in enumerate(up):
            weight = weight * (share[axis] if one else 1 - share[axis])
            at = (at if axis == 0 else at * BINS[axis]) + low[axis] + one
        sums.scatter_add_(1, at.flatten(1), weight.flatten(1))
    cells = sums.view(n, finest, finest, total)
    parts = []
    for grid in grids:
        coarse = cells.view(n, grid, finest // grid, grid, finest // grid, total).sum((2, 4)).sqrt()
        parts.append(functional.normalize((coarse + coarse.flip(2) if mirror else coarse).flatten(1), dim=1))
    return torch.cat(parts, dim=1)
