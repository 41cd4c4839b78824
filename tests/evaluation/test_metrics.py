"""Against a slow plain reference, written from the definitions, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.evaluation.metrics import (
    METRICS,
    average_precision_at,
    estimate,
    hit_at,
    latency,
    measure,
    ndcg_at,
    precision_at,
    recall_at,
)


def reference(relevant: list[bool], total: int) -> dict[str, float]:
    found = [i for i, r in enumerate(relevant, 1) if r]
    average = sum(len([f for f in found if f <= rank]) / rank for rank in found if rank <= 100) / min(100, total)
    gain = sum(1 / math.log2(rank + 1) for rank in found if rank <= 10)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, total) + 1))
    return {
        "precision_at_1": float(relevant[0]),
        "precision_at_10": sum(relevant[:10]) / 10,
        "recall_at_10": sum(relevant[:10]) / total,
        "hit_at_10": float(any(relevant[:10])),
        "map_at_100": average,
        "ndcg_at_10": gain / ideal,
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=130), st.integers(1, 200))
def test_each_metric_is_its_definition(relevant: list[bool], more: int):
    total = sum(relevant) + more
    measured = measure(np.array([relevant, relevant]), np.array([total, total]))
    expected = reference(relevant, total)
    assert set(measured) == set(METRICS) == set(expected)
    for name, value in expected.items():
        assert measured[name].shape == (2,)
        assert measured[name][0] == pytest.approx(value), name


def test_a_perfect_ranking_scores_one_and_an_empty_one_nothing():
    total = np.array([3, 150])
    perfect = np.arange(100)[None] < total[:, None]
    for metric in (average_precision_at, ndcg_at):
        assert metric(perfect, total, 10).tolist() == pytest.approx([1, 1])
        assert metric(~perfect & False, total, 10).tolist() == [0, 0]
    assert recall_at(perfect, total, 10).tolist() == pytest.approx([1, 10 / 150])
    assert precision_at(perfect, total, 10).tolist() == pytest.approx([0.3, 1])
    assert hit_at(perfect[:, ::-1], total, 10).tolist() == [0, 1]


def test_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra 'train'")
    random = np.random.default_rng(0)
    relevant = random.random((20, 100)) < 0.3
    relevant[:, 0] = True
    scores = np.arange(100, 0, -1)
    total = relevant.sum(axis=1)  # everything relevant was ranked
    ndcg, average = ndcg_at(relevant, total, 10), average_precision_at(relevant, total, 100)
    for i, row in enumerate(relevant):
        assert average[i] == pytest.approx(sklearn.average_precision_score(row, scores))
        assert ndcg[i] == pytest.approx(sklearn.ndcg_score([row], [scores], k=10))


def test_intervals_hold_the_mean_and_narrow_with_more_queries():
    random = np.random.default_rng(0)
    few, many = (estimate({"m": random.random(n) < 0.3})["m"] for n in (50, 5000))
    assert few["low"] < few["value"] < few["high"]
    assert many["high"] - many["low"] < 0.2 * (few["high"] - few["low"])
    # A binomial proportion's normal interval, which 1,000 resamples come close to.
    half = 1.96 * math.sqrt(many["value"] * (1 - many["value"]) / 5000)
    assert many["high"] - many["value"] == pytest.approx(half, rel=0.2)
    assert (few["queries"], many["queries"]) == (50, 5000)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        interval = estimate({"m": random.random(100) < 0.4}, seed=trial, resamples=300)["m"]
        covered += interval["low"] <= 0.4 <= interval["high"]
    assert 0.88 <= covered / 200 <= 0.99


def test_intervals_follow_from_the_seed_and_not_from_the_metrics_beside():
    values = np.random.default_rng(0).random(40)
    assert estimate({"a": values}) == estimate({"a": values})
    assert estimate({"b": values[::-1], "a": values})["a"] == pytest.approx(estimate({"a": values})["a"])
    assert estimate({"a": values}, seed=1)["a"] != estimate({"a": values})["a"]


def test_one_query_has_a_mean_and_no_width():
    assert estimate({"m": np.array([0.5])})["m"] == {"value": 0.5, "low": 0.5, "high": 0.5, "queries": 1}
    with pytest.raises(ValueError, match="no queries"):
        estimate({"m": np.empty(0)})


def test_latency_is_in_milliseconds():
    assert latency(np.linspace(0.001, 0.101, 101)) == pytest.approx({"p50": 51, "p95": 96, "p99": 100})
