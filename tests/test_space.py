import numpy as np
import pytest

from nitari.errors import ConfigError, QueryError
from nitari.space import Space, hamming


@pytest.mark.parametrize("metric", ["cosine", "l2", "normalized_l2"])
def test_distances_by_definition(metric: str):
    rng = np.random.default_rng(0)
    space = Space("s", metric, 5)
    a, b = space.check(rng.normal(size=(3, 5))), space.check(rng.normal(size=(4, 5)))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            l2 = np.linalg.norm(x - y)
            expected = {
                "cosine": 1 - x @ y / (np.linalg.norm(x) * np.linalg.norm(y)),
                "l2": l2,
                "normalized_l2": l2 / (np.linalg.norm(x) + np.linalg.norm(y)),
            }[metric]
            assert space.distances(a, b)[i, j] == pytest.approx(expected, abs=1e-5)
    assert space.similarity(space.distances(a[:1], a[:1]))[0, 0] == pytest.approx(1, abs=1e-3)


def test_hamming_counts_bits():
    space = Space("h", "hamming", 16, "uint8")
    a = np.array([[0b1010, 0]], np.uint8)
    b = np.array([[0b0110, 0], [0b1010, 255]], np.uint8)
    assert space.distances(a, b).tolist() == [[2, 8]]
    assert space.similarity(np.array([8.0])) == pytest.approx(0.5)


def test_refuses_what_cannot_be_compared():
    space = Space("s", "cosine", 4)
    with pytest.raises(QueryError, match="4 numbers"):
        space.check(np.zeros((2, 3)))
    with pytest.raises(QueryError, match="not finite"):
        space.check(np.array([[0, 0, np.nan, 1]]))
    with pytest.raises(QueryError, match="uint8"):
        Space("h", "hamming", 32, "uint8").check(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(
    "wrong", [("angle", 3, "float32"), ("l2", 0, "float32"), ("hamming", 9, "uint8"), ("l2", 3, "int4")]
)
def test_refuses_impossible_spaces(wrong: tuple):
    with pytest.raises(ConfigError):
        Space("s", *wrong)


def test_zero_vector_is_far_from_everything():
    space = Space("s", "cosine", 2)
    assert space.distances(space.check(np.zeros((1, 2))), space.check(np.eye(2))).tolist() == [[1, 1]]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 8, 12, 32, 33])
def test_bits_are_counted_at_any_width(width: int):
    codes = np.random.default_rng(width).integers(0, 256, (50, width + 1), np.uint8)
    for every in (codes[:, :width], codes[::2, 1:]):  # not contiguous
        query = every[0].copy()
        assert np.array_equal(hamming(query, every), np.unpackbits(every ^ query, axis=1).sum(axis=1))
