import numpy as np
import pytest

from nitari.index import SearchResult
from nitari.index.hnsw import Hnsw
from nitari.index.ivf import Ivf
from nitari.index.tuning import _efforts, ann_recall, interval, tune, without_self
from nitari.space import Space, unit


def test_ties_are_no_misses():
    truth = np.array([[0.1, 0.2, 0.2], [0.0, 0.0, 0.5]], np.float32)
    found = np.array([[0.1, 0.2, 0.2 + 5e-7], [0.0, 0.6, np.inf]], np.float32)
    assert ann_recall(found, truth).tolist() == [1.0, pytest.approx(1 / 3)]


def test_the_query_itself_does_not_count():
    result = SearchResult(np.array([[4, 7, 1], [9, 8, 3]]), np.array([[0, 0.1, 0.2], [0, 0.1, 0.2]], np.float32))
    rest = without_self(result, np.array([7, 5]))  # 5 was hidden behind its duplicates
    assert rest.rows.tolist() == [[4, 1], [9, 8]]
    assert np.allclose(rest.distances, [[0, 0.2], [0, 0.1]])


def test_the_interval_holds_the_mean():
    values = np.array([1.0] * 90 + [0.5] * 10)
    low, high = interval(values)
    assert low < 0.95 < high
    assert interval(np.ones(10)) == (1.0, 1.0)


def test_the_smallest_effort_that_reaches_the_target(monkeypatch):
    monkeypatch.setattr("nitari.index.hnsw._STEP", 0)  # never too few vectors for the graph
    vectors = unit(np.random.default_rng(0).standard_normal((6_000, 24)).astype(np.float32))
    index = Hnsw(Space("form", "cosine", 24), M=6, ef_construction=30)
    index.build(vectors)
    efforts = []
    for target in (0.6, 0.9, 0.98):
        measured = tune(index, vectors, k=10, target=target, queries=200, seed=0)
        assert measured is not None
        assert interval(measured.recall)[0] >= target
        assert measured.summary(10, 0)["ann_recall_at_10"]["value"] >= target
        efforts.append(index.ef_search)
    assert efforts == sorted(set(efforts))


def test_more_candidates_where_no_number_of_lists_is_enough(tmp_path):
    pytest.importorskip("faiss", reason="needs the extra 'index'")
    random = np.random.default_rng(0)
    vectors = random.standard_normal((300, 128))[random.integers(300, size=20_000)]
    vectors = unit((vectors + random.standard_normal(vectors.shape)).astype(np.float32))
    space = Space("form", "cosine", 128)
    index = Ivf(space, rerank=1)
    index.build(vectors)
    measured = tune(index, vectors, k=10, target=0.95, queries=100, seed=0)
    assert measured is not None
    assert interval(measured.recall)[0] >= 0.95
    assert index.rerank > 1
    assert index.plan(11)[0].kind == "engine"
    loaded = Ivf.load(tmp_path, space, vectors, index.save(tmp_path))
    assert (loaded.rerank, loaded.n_probe) == (index.rerank, index.n_probe)
    assert np.array_equal(loaded.search(vectors[:20], 10).rows, index.search(vectors[:20], 10).rows)


def test_efforts_in_order():
    index = Ivf(Space("form", "cosine", 8), rerank=100)
    values = Ivf.sweep[1]
    tried = [(index.rerank, index.n_probe) for _ in _efforts(index)]
    assert tried == [(wide, value) for wide in (100, 120, 240) for value in values]
