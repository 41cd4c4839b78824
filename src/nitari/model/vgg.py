"""VGG of any depth, its convolutional features pooled as the code: Simonyan and Zisserman, arXiv:1409.1556."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from nitari.errors import ConfigError
from nitari.model.autoencoder import Decoder
from nitari.model.weights import read

_LETTER = {11: "A", 13: "B", 16: "D", 19: "E"}


class Vgg(nn.Module):
    """(n, 3, size, size) in [0, 1] -> (n, 512 * width * pool²).

    ``weights``: null starts from chance; a path to torchvision's state dict (``.safetensors``, or ``.pth`` of plain
    tensors); ``download`` fetches torchvision's. ``width`` scales every layer. ``decoder`` is the width of a decoder for
    objectives that reconstruct; 0 leaves it out. ``freeze``: so many convolutions from the picture on, their
    normalisation included, stay as they are: what they tell, edges and textures, is the same in every domain.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        size: int = 64,
        *,
        depth: int = 16,
        batch_norm: bool = True,
        weights: str | None = None,
        pool: int = 1,
        width: float = 1.0,
        decoder: int = 64,
        freeze: int = 0,
    ) -> None:
        super().__init__()
        from torchvision.models import vgg

        if depth not in _LETTER:
            raise ConfigError(f"model.depth is {depth}. Choose one of: {', '.join(map(str, _LETTER))}")
        if size < 32 * pool or size % 32:
            raise ConfigError(
                f"model.size is {size}: VGG halves it five times, so give a multiple of 32, {32 * pool} or more"
            )
        plan = [v if isinstance(v, str) else max(1, int(v * width)) for v in vgg.cfgs[_LETTER[depth]]]
        self.size = size
        self.features = vgg.make_layers(plan, batch_norm=batch_norm)
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        grid = size // 32
        step = grid // pool
        self.pool = nn.AvgPool2d(grid - (pool - 1) * step, step)
        channels = [v for v in plan if isinstance(v, int)][-1]
        self.dim = channels * pool * pool
        self.decoder: Decoder | None = Decoder(self.dim, size, decoder) if decoder else None
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        if not 0 <= freeze < len(self.layers):
            raise ConfigError(
                f"model.freeze is {freeze}. VGG-{depth} has {len(self.layers)} convolutions: leave one free"
            )
        self.frozen = self.layers[:freeze]
        for layer in self.frozen:
            layer.requires_grad_(False)
        if weights is not None:
            self._take(weights, depth, batch_norm)

    def encode(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) in [0, 1] -> (n, dim)."""
        return self.pool(self.features((pictures - self.mean) / self.deviation)).flatten(1)

    @property
    def layers(self) -> list[nn.Module]:
        """Every convolution with what follows it up to the next one, from the picture on."""
        starts = [i for i, module in enumerate(self.features) if isinstance(module, nn.Conv2d)]
        return [self.features[a:b] for a, b in zip(starts, [*starts[1:], len(self.features)], strict=True)]

    def train(self, mode: bool = True) -> Vgg:
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        return self

    def decode(self, codes: Tensor) -> Tensor:
        """(n, dim) -> (n, 3, size, size), around [0, 1]."""
        if self.decoder is None:
            raise ConfigError("This model was made without a decoder. Give it one with: model.decoder=64")
        return self.decoder(codes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.encode(pictures)

    def _take(self, weights: str, depth: int, batch_norm: bool) -> None:
        name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
        state = _download(name) if weights == "download" else read(Path(weights), "model.weights")
        found = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
        try:
            self.features.load_state_dict(found)
        except RuntimeError as error:
            raise ConfigError(
                f"model.weights '{weights}' do not fit {name}: {str(error).splitlines()[-1].strip()}"
            ) from None


def _download(name: str) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    url = get_model_weights(name).DEFAULT.url
    try:
        return torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ConfigError(
            f"The weights of {name} could not be downloaded: {error}. Give a local file: model.weights=PATH"
        ) from None
