from typing import Any

import pytest

from nitari.model import create
from nitari.model.augment import Augment
from nitari.model.module import Training
from nitari.model.trainer import Settings


def module(tiny: dict[str, Any], **settings: Any) -> Training:
    network = create(tiny)
    objective = create(
        {
            "_target_": "nitari.model.objective.weighted.Weighted",
            "terms": {"reconstruction": {"_target_": "nitari.model.objective.reconstruction.Reconstruction"}},
            "weights": {"reconstruction": 1.0},
        }
    )
    objective.prepare(network)
    return Training(network, objective, Augment(), Settings(**settings), 0)


def test_every_parameter_is_in_one_group(tiny: dict[str, Any]):
    training = module(tiny, layer_decay=0.5)
    groups = training.configure_optimizers().param_groups
    found = [id(p) for group in groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in training.parameters())


def test_deeper_layers_learn_more_slowly(tiny: dict[str, Any]):
    training = module(tiny, layer_decay=0.5)
    scale = {id(p): group["scale"] for group in training.configure_optimizers().param_groups for p in group["params"]}
    layers = training.network.layers
    assert scale[id(training.network.code.weight)] == 1
    first = scale[id(next(layers[0].parameters()))]
    assert first == pytest.approx(0.5 ** (len(layers) - 1))
    assert scale[id(next(training.network.decoder.parameters()))] == 1


def test_all_learn_alike_unless_told(tiny: dict[str, Any]):
    groups = module(tiny).configure_optimizers().param_groups
    assert {group["scale"] for group in groups} == {1.0}
