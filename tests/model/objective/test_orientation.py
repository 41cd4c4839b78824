import numpy as np
import pytest
import torch
from torch import nn

from nitari.errors import ConfigError
from nitari.extractor.hog import HogExtractor
from nitari.model.objective import Batch
from nitari.model.objective.orientation import Orientation, oriented_gradients


class Network(nn.Module):
    dim = 8
    size = 64


def pictures() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3)).astype(np.uint8))


def scaled() -> torch.Tensor:
    return pictures().permute(0, 3, 1, 2).float() / 255


def test_its_targets_are_those_of_the_extractor():
    expected = HogExtractor().extract(list(pictures().numpy()))
    np.testing.assert_allclose(oriented_gradients(scaled(), 8).numpy(), expected, atol=2e-3)


def test_a_code_that_tells_the_target_costs_nothing():
    objective = Orientation()
    target = oriented_gradients(scaled(), 8)
    objective.read = nn.Identity()
    loss, _ = objective(Batch(Network(), (), (target - target.mean(0),), scaled()))
    assert float(loss) == pytest.approx(0, abs=1e-4)
    wrong, _ = objective(Batch(Network(), (), (target.flip(0) - target.mean(0),), scaled()))
    assert float(wrong) > 0.5


def test_the_reading_learns():
    objective = Orientation(views=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        objective.prepare(Network())
        codes = torch.randn(6, 8)
    loss, _ = objective(Batch(Network(), (), (codes, codes), scaled()))
    loss.backward()
    assert objective.read.weight.grad.abs().sum() > 0


def test_cells_must_divide_the_picture():
    with pytest.raises(ConfigError, match="do not divide 64"):
        Orientation(cells=7).prepare(Network())
