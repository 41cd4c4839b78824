from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nitari.errors import ConfigError
from nitari.model.vgg import Vgg

SMALL = {"width": 1 / 32, "size": 32, "decoder": 4}


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_every_depth_gives_pooled_features(depth: int, batch_norm: bool):
    network = Vgg(depth=depth, batch_norm=batch_norm, **SMALL).eval()
    convolutions = sum(isinstance(m, torch.nn.Conv2d) for m in network.features.modules())
    assert convolutions == depth - 3
    pictures = torch.rand(2, 3, 32, 32)
    codes = network.encode(pictures)
    assert codes.shape == (2, network.dim) == (2, 16)
    assert network.decode(codes).shape == pictures.shape


def test_it_may_keep_a_grid():
    network = Vgg(depth=11, width=1 / 32, size=96, pool=2, decoder=0)
    assert network.encode(torch.rand(1, 3, 96, 96)).shape == (1, 64)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_weights_come_from_a_local_file(tmp_path: Path, name: str):
    source = Vgg(depth=11, **SMALL)
    state = {f"features.{k}": v.contiguous() for k, v in source.features.state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(2, 2)  # what torchvision's files have besides
    path = tmp_path / name
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    network = Vgg(depth=11, weights=str(path), **SMALL)
    for key, value in source.features.state_dict().items():
        torch.testing.assert_close(network.features.state_dict()[key], value)


def test_weights_that_do_not_fit_or_are_not_there_are_named(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_file({"features.0.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ConfigError, match="do not fit vgg13_bn"):
        Vgg(depth=13, weights=str(path), **SMALL)
    with pytest.raises(ConfigError, match=r"model\.weights is '.*absent\.pth', which is no file"):
        Vgg(weights=str(tmp_path / "absent.pth"), **SMALL)


def test_a_pickle_that_holds_code_is_not_run(tmp_path: Path):
    torch.save({"features.0.weight": Path("x")}, tmp_path / "w.pth")
    with pytest.raises(ConfigError, match="cannot be read"):
        Vgg(weights=str(tmp_path / "w.pth"), **SMALL)


@pytest.mark.parametrize(("setting", "value"), [("depth", 12), ("size", 40)])
def test_wrong_settings_are_named(setting: str, value: int):
    with pytest.raises(ConfigError, match=f"model.{setting} is {value}"):
        Vgg(**{**SMALL, setting: value})


def test_the_first_convolutions_may_stay_as_they_are():
    network = Vgg(depth=11, freeze=2, **SMALL).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.encode(torch.rand(4, 3, 32, 32)).sum().backward()
    optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    still = {f"features.{i}" for layer in (0, 4) for i in (layer, layer + 1)}  # convolutions and their normalisations
    assert not any(key.rpartition(".")[0] in still for key in changed)
    assert any(key.startswith("features.8.") for key in changed)
    with pytest.raises(ConfigError, match=r"model\.freeze is 8"):
        Vgg(depth=11, freeze=8, **SMALL)
