"""A small convolutional autoencoder with a flat code: what it keeps, it keeps with its place in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nitari.errors import ConfigError


class Autoencoder(nn.Module):
    """(n, 3, size, size) in [0, 1] -> code (n, dim) -> picture.

    A strided stem of ``learned`` filters beside ``gradients`` fixed oriented ones; one 3x3 convolution a width (the
    first keeps the grid, the others halve it) with a residual one after each but the first; two 1x1 convolutions
    (``top``, ``reduced``); pooling to ``pool`` x ``pool``; a linear code.
    """

    def __init__(
        self,
        size: int = 64,
        dim: int = 128,
        *,
        stride: int = 4,
        learned: int = 24,
        gradients: int = 8,
        widths: Sequence[int] = (64, 128, 256),
        top: int = 512,
        reduced: int = 64,
        pool: int = 3,
        decoder: int = 64,
    ) -> None:
        super().__init__()
        if size < 8 or size % stride or size // stride < 2 ** len(widths):
            raise ConfigError(
                f"model.size is {size}: with stride {stride} and {len(widths)} widths it must be a multiple of {stride} "
                f"and at least {stride * 2 ** len(widths)}"
            )
        self.size = size
        self.dim = dim
        self.stem = Stem(learned, gradients, stride)
        layers: list[nn.Module] = []
        channels, grid = learned + gradients, size // stride
        for number, width in enumerate(widths):
            layers.append(block(channels, width, stride=2 if number else 1))
            if number:
                grid = math.ceil(grid / 2)
                layers.append(Residual(width))
            channels = width
        layers += [block(channels, top, kernel=1), block(top, reduced, kernel=1)]
        # Overlapping windows that cover the grid: a fixed-size pooling that every exporter and runtime knows.
        pool = min(pool, grid)
        step = grid // pool
        layers.append(nn.AvgPool2d(grid - (pool - 1) * step, step))
        self.features = nn.Sequential(*layers)
        self.code = nn.Linear(reduced * pool * pool, dim)
        self.decoder: Decoder | None = Decoder(dim, size, decoder) if decoder else None

    def encode(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) in [0, 1] -> (n, dim)."""
        return self.code(self.features(self.stem((pictures - 0.5) * 4.0)).flatten(1))

    @property
    def layers(self) -> list[nn.Module]:
        """From the picture on."""
        return [self.stem, *self.features, self.code]

    def decode(self, codes: Tensor) -> Tensor:
        """(n, dim) -> (n, 3, size, size), around [0, 1]."""
        if self.decoder is None:
            raise ConfigError("This model was made without a decoder. Give it one with: model.decoder=64")
        return self.decoder(codes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.encode(pictures)


class Stem(nn.Module):
    """Learned strided filters beside fixed oriented gradients, whose contrast is normalised over their neighbourhood.

    The second kind is a coarse histogram of oriented gradients: Dalal and Triggs, "Histograms of oriented gradients for
    human detection" (CVPR 2005). It helps where pictures are few.
    """

    gradient: Tensor

    def __init__(self, learned: int, gradients: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.learned = nn.Sequential(
            nn.Conv2d(3, learned, 2 * stride, stride, padding=stride // 2, bias=False),
            nn.BatchNorm2d(learned),
            nn.ReLU(inplace=True),
        )
        self.gradients = gradients
        self.register_buffer("gradient", oriented(gradients), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        learned = self.learned(pictures)
        if not self.gradients:
            return learned
        edges = functional.relu(functional.conv2d(pictures, self.gradient, padding=1))
        cells = functional.avg_pool2d(edges, self.stride)
        around = functional.avg_pool2d(cells.mean(1, keepdim=True), 3, 1, padding=1, count_include_pad=False)
        return torch.cat([learned, cells / (around + 0.05)], 1)


class Residual(nn.Module):
    """x + ReLU(BN(conv3x3(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = block(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class Decoder(nn.Module):
    """(n, dim) -> (n, 3, size, size): linear to a 4x4 grid, two upsampling convolutions, pixel shuffle, resize.

    Light on purpose: what the decoder cannot invent, the code has to carry. Shi et al., "Real-time single image and video
    super-resolution using an efficient sub-pixel convolutional neural network" (CVPR 2016).
    """

    def __init__(self, dim: int, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.width = width
        self.factor = max(1, round(size / 16))
        self.start = nn.Linear(dim, width * 16)
        self.first = block(width, width)
        self.second = block(width, width)
        self.pixels = nn.Conv2d(width, 3 * self.factor**2, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        x = functional.relu(self.start(codes)).view(-1, self.width, 4, 4)
        x = self.first(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.second(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = functional.pixel_shuffle(self.pixels(x), self.factor) + 0.5
        if x.shape[-1] != self.size:
            x = functional.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return x


def block(channels: int, width: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def oriented(directions: int) -> Tensor:
    """(directions, 3, 3, 3): Sobel filters of the luminance, turned around the circle."""
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    luminance = torch.tensor([0.299, 0.587, 0.114])
    angles = torch.arange(directions) * (2 * math.pi / max(directions, 1))
    turned = angles.cos()[:, None, None] * sobel + angles.sin()[:, None, None] * sobel.T
    return turned[:, None] * luminance[None, :, None, None]
