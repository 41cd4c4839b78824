from typing import Any

import pytest
import torch

from nitari.errors import ConfigError
from nitari.model import create
from nitari.model.objective import Batch
from nitari.model.objective.labels import CLASSIFIERS, LOSSES, Labels

pytest.importorskip("pytorch_metric_learning", reason="needs the extra 'labels'")


@pytest.mark.parametrize("loss", LOSSES + CLASSIFIERS)
def test_every_loss_is_computed_where_labels_are_known(loss: str, tiny: dict[str, Any]):
    network = create(tiny)
    objective = Labels("kind", loss)
    objective.classes = 3
    objective.prepare(network)
    codes = network.encode(torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    labels = torch.tensor([0, 1, 2, 0, 1, 2, -1, -1])
    found, _ = objective(Batch(network, (), (codes,), codes, labels=labels))
    assert torch.isfinite(found)
    nothing, _ = objective(Batch(network, (), (codes,), codes, labels=torch.full((8,), -1)))
    assert float(nothing.detach()) == 0


def test_what_cannot_be_learned_from_is_said(tiny: dict[str, Any]):
    with pytest.raises(ConfigError, match=r"has loss .Best.\. Choose one of"):
        Labels("kind", "Best")
    objective = Labels("kind")
    objective.classes = 1
    with pytest.raises(ConfigError, match="column 'kind' has 1 different values"):
        objective.prepare(create(tiny))
    objective = Labels("kind", arguments={"speed": 3})
    objective.classes = 3
    with pytest.raises(ConfigError, match="does not take these arguments"):
        objective.prepare(create(tiny))
