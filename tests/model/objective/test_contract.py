"""What every choice of conf/objective does, whatever it asks for."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nitari import conf
from nitari.model import create
from nitari.model.objective import Batch
from nitari.model.objective.weighted import Weighted

CHOICES = sorted((Path(str(conf.__file__)).parent / "objective").glob("*.yaml"))
N = 12


def prepared(path: Path, network: Any) -> Weighted:
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "perceptual" in spec["terms"]:
        spec["terms"]["perceptual"] |= {"weights": None, "width": 1 / 16}
    objective: Weighted = create(spec)
    for terms in objective.columns.values():
        for term in terms:
            term.classes = 3
    objective.prepare(network)
    return objective


def together(path: Path, tiny: dict[str, Any]) -> tuple[Any, Weighted, torch.Tensor]:
    """A network, the objective prepared for it, and pictures."""
    if path.stem == "labels":
        pytest.importorskip("pytorch_metric_learning", reason="needs the extra 'labels'")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create(tiny)
        objective = prepared(path, network)
    return network, objective, torch.rand(N, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def batch(network: Any, objective: Weighted, pictures: torch.Tensor) -> Batch:
    generator = torch.Generator().manual_seed(0)
    views = tuple((pictures + 0.05 * torch.randn(pictures.shape, generator=generator)).clamp(0, 1) for _ in range(2))
    codes = tuple(network.encode(view) for view in views)[: objective.views]
    targets = torch.nn.functional.normalize(torch.randn(N, 128, generator=generator), dim=1)
    labels = torch.arange(N) % 4 - 1
    return Batch(network, views[: objective.views], codes, pictures, targets, labels, generator)


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: path.stem)
def test_an_objective_gives_one_number_that_teaches_the_network(path: Path, tiny: dict[str, Any]):
    network, objective, pictures = together(path, tiny)
    loss, logs = objective(batch(network, objective, pictures))
    assert loss.ndim == 0
    assert objective.views >= 1
    assert torch.isfinite(loss)
    assert set(logs) >= set(objective.terms)
    assert all(not value.requires_grad for value in logs.values())
    loss.backward()
    assert network.code.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: path.stem)
def test_a_few_steps_lower_it(path: Path, tiny: dict[str, Any]):
    network, objective, pictures = together(path, tiny)
    optimizer = torch.optim.Adam([*network.parameters(), *objective.parameters()], lr=3e-3)
    losses = []
    for _ in range(25):
        loss, _ = objective(batch(network, objective, pictures))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
