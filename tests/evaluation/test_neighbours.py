import numpy as np
import pytest

from nitari.evaluation.neighbours import pick


@pytest.mark.parametrize("queries", [1, 2, 3, 5, 8, 9, 10, 200])
@pytest.mark.parametrize("count", [1, 2, 6, 9])
def test_as_many_different_queries_as_there_are(queries: int, count: int):
    scores = np.random.default_rng(0).random(queries)
    picked = pick(scores, count, seed=0)
    assert len({at for _, at in picked}) == len(picked) == min(queries, count)


def test_best_typical_and_worst_are_what_they_are_called():
    scores = np.random.default_rng(0).permutation(101) / 100
    picked = pick(scores, 9, seed=0)
    found = {name: [scores[at] for n, at in picked if n == name] for name in ("best", "typical", "worst")}
    assert sorted(found["best"]) == [0.98, 0.99, 1.0]
    assert sorted(found["worst"]) == [0.0, 0.01, 0.02]
    assert max(abs(score - 0.5) for score in found["typical"]) <= 0.02


def test_equal_scores_are_drawn_by_lot():
    assert pick(np.zeros(50), 6, seed=0) == pick(np.zeros(50), 6, seed=0) != pick(np.zeros(50), 6, seed=1)
