import pytest
import torch
from torch import nn

from nitari.errors import ConfigError
from nitari.model.objective import Batch
from nitari.model.objective.agreement import Agreement
from nitari.model.objective.weighted import Weighted


class Constant(nn.Module):
    views = 1

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def prepare(self, network: nn.Module) -> None: ...

    def forward(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return torch.tensor(self.value), {"seen": torch.tensor(len(batch.codes[0]))}


def test_terms_are_weighted_summed_and_logged():
    objective = Weighted({"a": Constant(2.0), "b": Constant(3.0)}, {"b": 0.5, "a": 1})
    total, logs = objective(Batch(nn.Identity(), (), (torch.zeros(4, 2),), torch.zeros(4, 3, 8, 8)))
    assert float(total) == 3.5
    assert {name: float(value) for name, value in logs.items()} == {"a": 2, "b": 3, "seen": 4}


def test_it_needs_as_many_views_as_its_neediest_term():
    assert Weighted({"a": Constant(1), "b": Agreement()}, {"a": 1, "b": 1}).views == 2


@pytest.mark.parametrize("weights", [{}, {"a": 1, "b": 2}, {"b": 1}])
def test_each_term_needs_one_weight(weights: dict[str, float]):
    with pytest.raises(ConfigError, match=r"objective\.weights"):
        Weighted({"a": Constant(1)}, weights)
