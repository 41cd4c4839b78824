from typing import Any

import numpy as np

from nitari.evaluation.approximation import ann_recall, search_latency
from nitari.index import SearchResult
from nitari.index.exact import Exact
from nitari.space import Space

SPACE = Space("s", "cosine", 8)


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return SPACE.check(np.random.default_rng(seed).normal(size=(n, 8)))


class Faulty:
    """Gives what ``rows`` says, whatever is asked."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = np.array(rows, np.int64)

    def search(self, queries: np.ndarray, k: int, **_: Any) -> SearchResult:
        return SearchResult(self.rows, np.zeros(self.rows.shape, np.float32))


def test_exact_search_finds_all():
    index = Exact(SPACE)
    base = vectors(300)
    index.build(base)
    assert ann_recall(index, SPACE, base, vectors(20, 1)).tolist() == [1] * 20
    few = Exact(SPACE)
    few.build(base[:4])
    assert ann_recall(few, SPACE, base[:4], vectors(2, 1)).tolist() == [1, 1]


def test_the_index_is_not_believed():
    base = np.eye(8, dtype=np.float32)
    query = (np.arange(8, 0, -1) ** 2).astype(np.float32)[None]  # the nearest are 0, 1, 2, …
    for rows, expected in (([0, 1, 2, 3], 1), ([0, 0, 0, 0], 0.25), ([0, 1, 6, 7], 0.5), ([0, -1, -1, -1], 0.25)):
        assert ann_recall(Faulty([rows]), SPACE, base, query, k=4).tolist() == [expected]  # type: ignore[arg-type]
    assert ann_recall(Faulty([[-1] * 4]), SPACE, base, query, k=4).tolist() == [0]  # type: ignore[arg-type]


def test_ties_with_the_last_are_as_good_as_it():
    base = np.ones((6, 8), np.float32)
    found = ann_recall(Faulty([[4, 5]]), SPACE, base, base[:1], k=2)  # type: ignore[arg-type]
    assert found.tolist() == [1]


def test_latency_has_percentiles_in_order():
    index = Exact(SPACE)
    index.build(vectors(50))
    found = search_latency(index, vectors(10, 1))
    assert list(found) == ["p50", "p95", "p99"]
    assert 0 < found["p50"] <= found["p95"] <= found["p99"]
