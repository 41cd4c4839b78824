import numpy as np
import pandas as pd
import pytest

from nitari.evaluation.metrics import METRICS
from nitari.evaluation.paired import COPY, differences, verdict


def queries(space: str, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"space": space, **dict.fromkeys(METRICS, values)})


def copies(space: str, values: np.ndarray) -> pd.DataFrame:
    """Two distortions of each picture; the second always fails."""
    ids = [f"{i:03d}" for i in range(len(values))]
    return pd.DataFrame({"space": space, "item_id": ids * 2, COPY: np.concatenate([values, np.zeros(len(values))])})


def test_a_small_but_steady_advantage_is_seen():
    hard = np.random.default_rng(0).random(200)
    found = differences([queries("a", hard + 0.02), queries("b", hard)], [])["b"]["precision_at_10"]
    assert found["value"] == pytest.approx(0.02)
    assert found["low"] == pytest.approx(found["high"])
    assert verdict(found) == "better"
    assert verdict(differences([queries("b", hard), queries("a", hard + 0.02)], [])["a"]["map_at_100"]) == "worse"


def test_noise_is_no_difference():
    random = np.random.default_rng(0)
    found = differences([queries("a", random.random(50)), queries("b", random.random(50))], [])["b"]
    assert verdict(found["precision_at_1"]) == "no difference shown"


def test_copies_count_by_picture():
    found = differences([], [copies("a", np.ones(40)), copies("b", np.zeros(40)), copies("c", np.ones(40))])
    assert found["b"][COPY]["value"] == pytest.approx(0.5)
    assert found["b"][COPY]["queries"] == 40
    assert found["c"][COPY]["value"] == 0
    assert set(found["b"]) == {COPY}


def test_one_space_has_nothing_beside_it():
    assert differences([queries("a", np.ones(3))], []) == {}
    assert differences([], []) == {}
