import logging
from pathlib import Path

import pytest
import torch

from nitari.model.checkpoint import State, load, optimizer_tensors, restore_optimizer, save


def state(value: float, step: int = 1) -> State:
    return State(
        {"w": torch.full((2, 3), value)}, {"0.step": torch.tensor(1.0)}, {"done": step, "history": [{"a": 0.5}]}
    )


def test_the_newest_state_comes_back_and_older_ones_go(tmp_path: Path):
    assert load(tmp_path) is None
    save(tmp_path, 1, state(1.0))
    path = save(tmp_path, 20, state(2.0, 20))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    found = load(tmp_path)
    assert found is not None
    assert float(found.module["w"][0, 0]) == 2.0
    assert found.notes == {"done": 20, "history": [{"a": 0.5}]}
    assert float(found.optimizer["0.step"]) == 1.0


def test_a_damaged_state_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    good = save(tmp_path, 1, state(1.0))
    kept = good.read_bytes()
    bad = save(tmp_path, 2, state(2.0))
    good.write_bytes(kept)
    bad.write_bytes(bad.read_bytes()[:-1] + b"\xff")
    with caplog.at_level(logging.WARNING):
        found = load(tmp_path)
    assert found is not None
    assert float(found.module["w"][0, 0]) == 1.0
    assert bad.name in caplog.text


def test_an_optimizer_goes_on_with_the_same_numbers():
    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(
            memory_format=torch.channels_last
        )
        return network, torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)

    def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        network(pictures).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    network, optimizer = make()
    step(network, optimizer, 1)
    other, restored = make()
    other.load_state_dict(network.state_dict())
    restore_optimizer(restored, {k: v.contiguous().clone() for k, v in optimizer_tensors(optimizer).items()})
    for pair in ((network, optimizer), (other, restored)):
        step(*pair, 2)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)
