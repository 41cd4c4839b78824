import numpy as np
import pytest

from nitari.errors import ConfigError
from nitari.recommend.scoring import check_weights, combine, weighted
from nitari.space import Space


def test_one_vector_is_the_query():
    vector = np.array([[0.6, 0.8]], np.float32)
    assert np.array_equal(combine(Space("form", "cosine", 2), vector, np.ones(1)), vector[0])


def test_several_are_their_weighted_mean():
    vectors = np.eye(2, dtype=np.float32)
    assert np.allclose(combine(Space("form", "cosine", 2), vectors, np.array([3, 4])), [0.6, 0.8])
    assert np.allclose(combine(Space("place", "l2", 2), vectors, np.array([3, 1])), [0.75, 0.25])


def test_bits_go_with_the_majority():
    bits = np.array([[0b11110000], [0b11001100], [0b10101010]], np.uint8)
    assert combine(Space("codes", "hamming", 8, "uint8"), bits, np.ones(3)).tolist() == [0b11101000]
    assert combine(Space("codes", "hamming", 8, "uint8"), bits, np.array([5, 1, 1])).tolist() == [0b11110000]


def test_a_score_is_a_weighted_mean():
    similarities = {"form": np.array([1, 0.5], np.float32), "place": np.array([1, 0.25], np.float32)}
    assert weighted(similarities, {"form": 3, "place": 1}).tolist() == [1.0, 0.4375]


def test_weights_that_count():
    assert check_weights({"form": 2, "place": 0}, ["form", "place", "codes"]) == {"form": 2.0}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"colour": 1}, "names the space 'colour'. This release has: form"),
        ({"form": -1}, "None may be below 0"),
        ({"form": np.nan}, "None may be below 0"),
        ({"form": 0}, "one must be above it"),
        ({}, "one must be above it"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ConfigError) as error:
        check_weights(weights, ["form"])
    assert message in str(error.value)
