import pytest
import torch
from torch import nn

from nitari.errors import ConfigError
from nitari.model.objective import Batch
from nitari.model.objective.reconstruction import Reconstruction
from nitari.model.objective.teacher import Teacher
from nitari.model.objective.weighted import Weighted


class Network(nn.Module):
    dim = 6


def batch(codes: torch.Tensor, targets: torch.Tensor | None) -> Batch:
    return Batch(Network(), (), (codes, codes), torch.zeros(len(codes), 3, 8, 8), targets)


def test_a_code_that_says_the_same_costs_nothing():
    objective = Teacher("hog", dims=6, views=2)
    codes = torch.eye(6)
    assert float(objective(batch(codes, codes * 3))[0]) == pytest.approx(0, abs=1e-6)
    assert float(objective(batch(codes, -codes))[0]) == pytest.approx(2, abs=1e-6)


def test_without_targets_it_says_whose_it_lacks():
    with pytest.raises(ConfigError, match="vectors of space 'hog'"):
        Teacher("hog")(batch(torch.eye(6), None))


def test_a_sum_has_one_teacher():
    one = Weighted({"a": Teacher("hog", 8), "b": Reconstruction()}, {"a": 1, "b": 1})
    assert one.teacher == ("hog", 8)
    assert Weighted({"b": Reconstruction()}, {"b": 1}).teacher is None
    two = Weighted({"a": Teacher("hog"), "b": Teacher("pixels")}, {"a": 1, "b": 1})
    with pytest.raises(ConfigError, match="2 spaces"):
        assert two.teacher
