"""How many threads train is looked at again, as other work comes and goes."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nitari.model import trainer
from nitari.model.trainer import ProcessorThreads


@pytest.fixture(autouse=True)
def two_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_quicker_number_of_threads_is_taken_and_taken_again(monkeypatch: pytest.MonkeyPatch):
    module: Any = SimpleNamespace(device=torch.device("cpu"))
    took = {1: 1.0, 2: 3.0}  # a busy machine
    monkeypatch.setattr(trainer, "_seconds", took.get)
    with ProcessorThreads(None, every=0.0) as threads:
        threads.on_fit_start(None, module)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 1
        took[2] = 0.6  # it is quiet again
        threads.on_train_batch_end(None, module)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 2
        threads.every = 100.0
        took[2] = 3.0
        threads.on_train_batch_end(None, module)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 2  # not yet
    with ProcessorThreads(1) as threads:
        threads.on_fit_start(None, module)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_choosing_moves_nothing_that_training_draws():
    state = torch.get_rng_state()
    assert trainer._seconds(1) > 0
    assert torch.equal(torch.get_rng_state(), state)
