"""Augmentations of whole batches on their device: every picture its own draw, all of them in a few tensor operations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nitari.errors import ConfigError

_MOST = {"turn": 180, "light": 1, "hue": 0.5, **dict.fromkeys(("flip", "jitter", "grey", "box", "coarse"), 1)}
_GREY = torch.tensor([0.299, 0.587, 0.114])
# RGB to YIQ: turning I and Q turns the hue and leaves the luminance.
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = torch.linalg.inv(_YIQ)


@dataclass(frozen=True)
class Augment:
    """``area``: smallest share of the picture a crop keeps; where ``reach`` is above 1, a crop may also be that much larger
    than the picture, on a random colour. ``turn``: rotated by up to so many degrees. ``light``: brightness, contrast and saturation are multiplied
    by 1 ± this. ``hue``: turned by up to this share of the circle. ``jitter`` is the probability of light and hue,
    ``grey`` of no colour, ``box`` of a filled box, ``coarse`` of shrinking and enlarging again.
    """

    area: float = 0.3
    reach: float = 1.4
    aspect: float = 4 / 3
    turn: float = 10.0
    flip: float = 0.5
    light: float = 0.3
    hue: float = 0.02
    jitter: float = 0.8
    grey: float = 0.05
    box: float = 0.3
    coarse: float = 0.15

    def __post_init__(self) -> None:
        if not 0 < self.area <= 1 or self.reach < 1 or self.aspect < 1:
            raise ConfigError(
                f"augment.area is {self.area}, reach {self.reach}, aspect {self.aspect}: give 0 < area <= 1 <= reach, aspect"
            )
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"augment.{name} is {value}. Give a number from 0 to {most:g}")

    def __call__(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """(n, 3, size, size) in [0, 1] -> the same, augmented. ``generator`` is on the processor, whatever the device."""
        draw = _Draw(len(pictures), generator, pictures.device)
        pictures = self._place(pictures, draw)
        pictures = self._colour(pictures, draw)
        if self.coarse:
            pictures = self._coarsen(pictures, draw)
        return self._cover(pictures, draw) if self.box else pictures

    def _place(self, pictures: Tensor, draw: _Draw) -> Tensor:
        """Crop, enlarge the canvas, turn and mirror by one resampling."""
        area, aspect = draw.between(self.area, self.reach), draw.between(-1.0, 1.0)
        ratio = torch.pow(torch.as_tensor(self.aspect), aspect / 2)
        width, height = area.sqrt() * ratio, area.sqrt() / ratio
        x, y = draw.between(-1.0, 1.0) * (1 - width).abs(), draw.between(-1.0, 1.0) * (1 - height).abs()
        mirror = 1 - 2 * draw.chance(self.flip)
        angle = draw.between(-self.turn, self.turn) * (torch.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        theta = torch.stack(
            [
                torch.stack([width * mirror * cos, -height * sin, x], 1),
                torch.stack([width * mirror * sin, height * cos, y], 1),
            ],
            1,
        )
        grid = functional.affine_grid(theta, list(pictures.shape), align_corners=False).to(pictures.device)
        placed = functional.grid_sample(pictures, grid, "bilinear", "border", align_corners=False)
        if self.reach == 1 and not self.turn:
            return placed
        outside = (grid.abs() > 1).any(3)[:, None]
        return torch.where(outside, draw.colour()[:, :, None, None].to(pictures.device), placed)

    def _colour(self, pictures: Tensor, draw: _Draw) -> Tensor:
        """Brightness, contrast, saturation, hue and grey are linear in a pixel: one 3x3 matrix and one offset a picture."""
        on = draw.chance(self.jitter)
        bright, contrast, saturation = (1 + on * draw.between(-self.light, self.light) for _ in range(3))
        turn = on * draw.between(-self.hue, self.hue) * (2 * torch.pi)
        saturation = saturation * (1 - draw.chance(self.grey))
        cos, sin = turn.cos() * saturation, turn.sin() * saturation
        one, zero = torch.ones_like(cos), torch.zeros_like(cos)
        chroma = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).view(-1, 3, 3)
        matrix = _RGB @ chroma @ _YIQ * (bright * contrast)[:, None, None]
        matrix, contrast, bright = (t.to(pictures.device) for t in (matrix, contrast, bright))
        level = (pictures.mean((2, 3)) * _GREY.to(pictures.device)).sum(1) * bright * (1 - contrast)
        n, _, height, width = pictures.shape
        flat = torch.baddbmm(level[:, None, None].expand(-1, 3, 1), matrix, pictures.reshape(n, 3, -1))
        return flat.clamp_(0.0, 1.0).view(n, 3, height, width)

    def _coarsen(self, pictures: Tensor, draw: _Draw) -> Tensor:
        chosen = draw.chance(self.coarse).bool()
        factor = 2.0 + 2.0 * float(draw.one())
        rows = chosen.nonzero()[:, 0].to(pictures.device)
        if len(rows):
            size = pictures.shape[-1]
            small = functional.interpolate(pictures[rows], scale_factor=1 / factor, mode="area")
            pictures = pictures.index_copy(
                0, rows, functional.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
            )
        return pictures

    def _cover(self, pictures: Tensor, draw: _Draw) -> Tensor:
        """A box of .1 to .4 of each side in a random colour."""
        size = pictures.shape[-1]
        on = draw.chance(self.box)
        width, height = draw.between(0.1, 0.4) * on, draw.between(0.1, 0.4)
        left, top = draw.between(0.0, 1.0) * (1 - width), draw.between(0.0, 1.0) * (1 - height)
        at = (torch.arange(size) + 0.5) / size
        inside_x = (at >= left[:, None]) & (at < (left + width)[:, None])
        inside_y = (at >= top[:, None]) & (at < (top + height)[:, None])
        inside = (inside_y[:, :, None] & inside_x[:, None, :])[:, None].to(pictures.device)
        return torch.where(inside, draw.colour()[:, :, None, None].to(pictures.device), pictures)


class _Draw:
    """(n,) random numbers, drawn on the processor so that every device gets the same."""

    def __init__(self, n: int, generator: torch.Generator, device: torch.device) -> None:
        self.n, self.generator, self.device = n, generator, device

    def between(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        return (torch.rand(self.n, generator=self.generator) < probability).float()

    def colour(self) -> Tensor:
        """(n, 3): black, white, or any colour, a third each."""
        kind = torch.randint(0, 3, (self.n, 1), generator=self.generator)
        anything = torch.rand(self.n, 3, generator=self.generator)
        return torch.where(kind == 2, anything, kind.float())

    def one(self) -> Tensor:
        return torch.rand((), generator=self.generator)
