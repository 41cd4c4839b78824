from pathlib import Path

import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.extractor.pretrained import PretrainedExtractor

torch = pytest.importorskip("torch", reason="needs the extra 'train'")


def pictures(n: int = 3) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, 40, 50, 3)).astype(np.uint8))


def test_features_are_what_the_classifier_sees(resnet: Path):
    from safetensors.torch import load_file
    from torchvision.models import resnet18

    extractor = PretrainedExtractor("resnet18", str(resnet), side=32)
    assert extractor.space.dim == 512
    network = resnet18(num_classes=10).eval()
    network.load_state_dict(load_file(resnet))
    batch = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8))
    scaled = (
        batch.permute(0, 3, 1, 2).float() / 255 - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    ) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.inference_mode():
        network.fc = torch.nn.Identity()
        expected = network(scaled)
    np.testing.assert_allclose(extractor.extract(list(batch.numpy())), expected, atol=1e-4)


def test_timm_gives_features_too(tmp_path: Path):
    timm = pytest.importorskip("timm", reason="needs the extra 'pretrained'")
    from safetensors.torch import save_file

    save_file(timm.create_model("resnet10t", num_classes=7).state_dict(), tmp_path / "w.safetensors")
    extractor = PretrainedExtractor("resnet10t", str(tmp_path / "w.safetensors"), "timm", side=64)
    assert extractor.extract(pictures()).shape == (3, 512)


def test_what_cannot_be_loaded_is_named(resnet: Path, tmp_path: Path):
    for arguments, message in [
        ({"model": "resnet18"}, "extractor.weights has no value"),
        ({"model": "resnet18", "weights": str(tmp_path / "none.safetensors")}, "is no file"),
        ({"model": "nothing_net", "weights": str(resnet)}, "has no model 'nothing_net'"),
        ({"model": "resnet50", "weights": str(resnet)}, "do not fit 'resnet50'"),
        ({"model": "resnet18", "weights": str(resnet), "library": "keras"}, "Choose one of"),
    ]:
        with pytest.raises(ConfigError, match=message):
            PretrainedExtractor(**arguments)  # type: ignore[arg-type]


def vgg(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """torchvision's VGG with narrow layers; its weights' file."""
    from safetensors.torch import save_file
    from torchvision import models
    from torchvision.models.vgg import VGG, make_layers

    def small(*names: object, **settings: object) -> VGG:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = VGG(make_layers([4, "M", 8, "M"]), num_classes=5, init_weights=False)
            network.avgpool = torch.nn.AdaptiveAvgPool2d(2)
            network.classifier[0] = torch.nn.Linear(32, 12)
            network.classifier[3] = torch.nn.Linear(12, 10)
            network.classifier[6] = torch.nn.Linear(10, 5)
        return network

    monkeypatch.setattr(models, "get_model", small)
    save_file({k: v.contiguous() for k, v in small().state_dict().items()}, folder / "vgg.safetensors")
    return folder / "vgg.safetensors"


def test_layers_of_a_vgg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    weights = str(vgg(monkeypatch, tmp_path))
    dims = {}
    for layer in ("fc6", "fc7", "features", None):
        extractor = PretrainedExtractor("vgg16", weights, layer=layer, side=32)
        vectors = extractor.extract(pictures())
        dims[layer] = vectors.shape[1]
        assert (vectors >= 0).all(), "after a ReLU"
        assert extractor.spec["layer"] == layer
    assert dims == {"fc6": 12, "fc7": 10, "features": 8, None: 32}
    with pytest.raises(ConfigError, match=r"extractor\.layer is 'fc9'.*features, avgpool, classifier"):
        PretrainedExtractor("vgg16", weights, layer="fc9", side=32)


def test_layers_are_torchvisions(tmp_path: Path):
    with pytest.raises(ConfigError, match="chosen with library=torchvision"):
        PretrainedExtractor("resnet10t", None, "timm", layer="fc7")
