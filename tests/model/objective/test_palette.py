from typing import Any

import pytest
import torch

from nitari.errors import ConfigError
from nitari.model import create
from nitari.model.objective import Batch
from nitari.model.objective.palette import Palette, colours


def test_it_asks_for_the_colours_of_the_picture_as_it_was(tiny: dict[str, Any]):
    network = create(tiny)
    objective = Palette(grids=[1, 2], views=2)
    objective.prepare(network)
    pictures = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    codes = network.encode(pictures)
    loss, _ = objective(Batch(network, (pictures, pictures), (codes, codes), pictures))
    assert 0 <= float(loss.detach()) <= 2
    loss.backward()
    assert all(parameter.grad is not None for parameter in objective.read.parameters())


def test_mirror_images_and_greys_of_another_place():
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(colours(pictures, (1, 4)), colours(pictures.flip(3), (1, 4)))
    turned = colours(pictures.flip(2), (1,))
    torch.testing.assert_close(colours(pictures, (1,)), turned)


@pytest.mark.parametrize(("grids", "size"), [([3, 4], 16), ([], 16), ([5], 16)])
def test_grids_that_do_not_fit_are_said(grids: list[int], size: int, tiny: dict[str, Any]):
    with pytest.raises(ConfigError, match="'palette' has"):
        Palette(grids=grids).prepare(create(tiny | {"size": size}))
