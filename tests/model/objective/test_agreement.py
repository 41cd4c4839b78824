import torch
from torch import nn
from torch.nn import functional

from nitari.model.objective import Batch
from nitari.model.objective.agreement import Agreement


class Network(nn.Module):
    dim = 6


def batch(one: torch.Tensor, two: torch.Tensor) -> Batch:
    return Batch(Network(), (), (one, two), one)


def test_it_is_the_cross_entropy_of_finding_the_partner():
    objective = Agreement(temperature=0.5)
    objective.prepare(Network())
    one, two = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    loss, logs = objective(batch(one, two))
    z = functional.normalize(objective.project(torch.cat([one, two])), dim=1)
    expected = []
    for i in range(10):
        others = [j for j in range(10) if j != i]
        logits = torch.stack([z[i] @ z[j] / 0.5 for j in others])
        expected.append(functional.cross_entropy(logits[None], torch.tensor([others.index((i + 5) % 10)])))
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    assert 0 <= float(logs["agreement_accuracy"]) <= 1


def test_agreeing_views_score_better():
    objective = Agreement(hidden=8)
    objective.prepare(Network())
    one, two = torch.randn(2, 16, 6, generator=torch.Generator().manual_seed(0))
    same, logs = objective(batch(one, one))
    assert same < objective(batch(one, two))[0]
    assert float(logs["agreement_accuracy"]) == 1
