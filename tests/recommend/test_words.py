import numpy as np
import pytest

from nitari.filters import Selection
from nitari.recommend.words import TextSource
from nitari.text.build import write
from nitari.text.index import TextIndex


@pytest.fixture
def source(tmp_path):
    write(tmp_path, ["red shoe", "red bag", "blue shoe", "green hat", "green hat", "scarf"])
    return TextSource(TextIndex(tmp_path))


def test_rows_with_the_words_that_are_typed(source):
    query = source.query("red shoes")
    assert source.candidates(query, 9).tolist() == [0, 1, 2]
    assert source.candidates(query, 9, Selection(None, np.array([2, 5]))).tolist() == [2]
    similar = source.similarity(query, np.arange(6))
    assert similar[0] > 0.9
    assert (similar[1:3] > 0).all()
    assert (similar[1:3] < 0.5).all()
    assert not similar[3:].any()


def test_rows_with_the_words_of_liked_items(source):
    query = source.query([3])
    assert source.candidates(query, 9).tolist() == [3, 4]
    assert source.similarity(query, np.array([3, 4, 0])).tolist() == [1, 1, 0]


def test_words_that_nothing_holds_propose_nothing(source):
    for query in (source.query("xyzzy"), source.query([5])):
        assert source.candidates(query, 9).tolist() == []
        assert source.similarity(query, np.arange(6)).tolist() == [0] * 6
