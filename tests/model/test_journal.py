"""Steps and epochs of a training that goes on with another number of processes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitari.model.journal import Journal


@pytest.mark.parametrize(
    ("total", "steps", "epochs"),
    [
        (1000, [100, 200, 300], [2, 4, 6]),  # max_steps ends it: as many steps as before, of twice as many pictures
        (500, [50, 100, 150], [1, 2, 3]),  # epochs do: half as many steps
    ],
)
def test_twice_as_many_processes_go_on_where_one_was(tmp_path: Path, total: int, steps: list[int], epochs: list[int]):
    journal = Journal(tmp_path)
    journal.total, journal.steps, journal.sums = 1000, 0.0, {}
    journal.history = [{"step": 100 * i, "epoch": i} for i in (1, 2, 3)]
    journal.best, journal.kept = (0.5, 2), {"epoch": 3, "copy_recall": 0.9}
    module: Any = SimpleNamespace(done=300, total=total, steps_per_epoch=50)
    journal.recount(module)
    assert [row["step"] for row in journal.history] == steps
    assert [row["epoch"] for row in journal.history] == epochs
    assert journal.best == (0.5, epochs[1])
    assert journal.kept["epoch"] == epochs[2]
    assert module.done == steps[2]
