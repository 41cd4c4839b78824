import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.recommend.diversity import maximal_marginal_relevance


def example(seed, n):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.sort(random.random(n))[::-1], vectors @ vectors.T


@given(seed=st.integers(0, 500), n=st.integers(0, 25), diversity=st.floats(0, 1))
def test_values_never_rise_and_a_longer_answer_begins_like_a_shorter_one(seed, n, diversity):
    scores, similarities = example(seed, n)
    nothing = np.full(n, -np.inf)
    chosen = maximal_marginal_relevance(scores, similarities, nothing, diversity, n)
    assert sorted(chosen.tolist()) == list(range(n))
    nearest = [similarities[i, chosen[:at]].max(initial=-np.inf) for at, i in enumerate(chosen)]
    values = [
        (1 - diversity) * scores[i] - (diversity * near if at else 0)
        for at, (i, near) in enumerate(zip(chosen, nearest, strict=True))
    ]
    assert (np.diff(values[1:]) <= 1e-12).all()
    for k in range(n):
        assert maximal_marginal_relevance(scores, similarities, nothing, diversity, k).tolist() == chosen[:k].tolist()


def test_without_diversity_it_is_the_order_of_the_scores():
    scores, similarities = example(0, 10)
    chosen = maximal_marginal_relevance(scores, similarities, np.full(10, -np.inf), 0.0, 10)
    assert chosen.tolist() == list(range(10))


def test_what_was_shown_counts():
    shown = np.array([0.9, 0.1])
    assert maximal_marginal_relevance(np.array([0.8, 0.7]), np.eye(2), shown, 0.5, 2).tolist() == [1, 0]
