from typing import Any

import pytest
import torch

from nitari.errors import ConfigError
from nitari.model import create
from nitari.model.autoencoder import Autoencoder, Stem, oriented


@pytest.mark.parametrize("size", [32, 64, 96])
def test_pictures_to_flat_codes_and_back(size: int):
    network = Autoencoder(size=size, dim=20, widths=(8, 12, 16), top=16, reduced=8, decoder=8).eval()
    pictures = torch.rand(2, 3, size, size)
    codes = network.encode(pictures)
    assert codes.shape == (2, 20)
    assert network.decode(codes).shape == pictures.shape
    torch.testing.assert_close(network(pictures), codes)


def test_the_default_has_the_size_it_is_said_to_have():
    network = Autoencoder()
    decoder = sum(p.numel() for p in network.decoder.parameters())  # type: ignore[union-attr]
    assert 1.3e6 < sum(p.numel() for p in network.parameters()) - decoder < 1.5e6
    assert decoder < 0.3e6


@pytest.mark.parametrize("gradients", [0, 1, 8])
def test_the_fixed_gradients_are_an_option(gradients: int):
    network = Autoencoder(size=16, stride=2, gradients=gradients, widths=(8, 8), top=8, reduced=8, decoder=0)
    assert network.encode(torch.rand(1, 3, 16, 16)).shape == (1, 128)
    assert oriented(gradients).shape == (gradients, 3, 3, 3)


def test_gradients_tell_directions_apart_and_not_contrast():
    stem = Stem(1, 8, 4).eval()
    ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    found = stem(ramp)[0, 1:, 1, 1]
    assert int(found.argmax()) == 0  # brighter to the right
    assert int(stem(ramp.transpose(2, 3))[0, 1:, 1, 1].argmax()) == 2  # brighter to the bottom
    torch.testing.assert_close(stem(ramp * 40)[0, 1:, 1, 1], stem(ramp * 80)[0, 1:, 1, 1], rtol=0.1, atol=0.01)


def test_a_network_without_a_decoder_says_so(tiny: dict[str, Any]):
    network = create(tiny | {"decoder": 0})
    with pytest.raises(ConfigError, match=r"model\.decoder=64"):
        network.decode(torch.zeros(1, 12))


@pytest.mark.parametrize("size", [4, 30, 66])
def test_a_size_that_does_not_divide_is_named(size: int):
    with pytest.raises(ConfigError, match=f"model.size is {size}"):
        Autoencoder(size=size)
