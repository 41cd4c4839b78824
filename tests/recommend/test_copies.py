import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.recommend.calibration import learn
from nitari.recommend.copies import copy_distance, leaders
from nitari.space import Space, unit


def line(*places):
    return np.abs(np.subtract.outer(np.array(places, float), np.array(places, float)))


def test_the_best_stands_for_those_near_it():
    assert leaders(line(0, 5, 1, 6, 9), np.empty((0, 5)), 1).tolist() == [0, 1, 0, 1, 4]


def test_a_chain_is_not_one_picture():
    assert leaders(line(0, 1, 2, 3), np.empty((0, 4)), 1).tolist() == [0, 0, 2, 2]


def test_copies_of_what_was_shown_are_nobodys():
    assert leaders(line(0, 5, 1), np.abs(np.array([[0.0, 5, 1], [4, 1, 3]])), 1).tolist() == [-1, -1, -1]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(0, 5))
def test_leaders_are_apart_and_everybody_is_near_theirs(places, limit):
    of = leaders(line(*places), np.empty((0, len(places))), limit)
    alone = [i for i in range(len(places)) if of[i] == i]
    assert all(abs(places[i] - places[j]) > limit for i in alone for j in alone if i != j)
    assert all(
        of[of[i]] == of[i] and of[i] <= i and abs(places[i] - places[of[i]]) <= limit for i in range(len(places))
    )


def test_the_distance_is_a_share_of_what_random_pictures_have():
    vectors = unit(np.random.default_rng(0).standard_normal((500, 32)).astype(np.float32))
    assert abs(copy_distance(learn(Space("form", "cosine", 32), vectors)) - 0.05) < 0.002
