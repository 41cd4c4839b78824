import numpy as np
import pytest

from nitari.errors import QueryError
from nitari.filters import Selection
from nitari.recommend.words import TextSource
from nitari.text.build import write
from nitari.text.index import TextIndex

PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def source(tmp_path):
    write(tmp_path, ["red shoe", "red bag", "blue shoe", "green hat", "green hat", "scarf"])
    return TextSource(TextIndex(tmp_path))


def similar(source, query):
    return source.similarity(source.measure(query, np.arange(6))).tolist()


def test_rows_with_the_words_that_are_typed(source):
    query = source.typed("red shoes")
    assert source.candidates(query, 9).tolist() == [0, 1, 2]
    assert source.candidates(query, 9, Selection(None, np.array([2, 5]))).tolist() == [2]
    both, red, shoe, *others = similar(source, query)
    assert both > 0.9
    assert 0 < red < 0.5
    assert 0 < shoe < 0.5
    assert others == [0, 0, 0]
    with pytest.raises(QueryError, match="no word"):
        source.typed("!")


def test_rows_with_the_words_of_liked_items(source):
    query = source.query(((3, PICTURE), np.ones(2)))
    assert source.candidates(query, 9).tolist() == [3, 4]
    assert similar(source, query) == [0, 0, 0, 1, 1, 0]


def test_words_of_disliked_items_are_not_looked_for(source):
    assert source.candidates(source.query(((0, 1), np.array([1.0, -1.0]))), 9).tolist() == [0, 2]


def test_where_there_are_no_words_nothing_is_proposed(source):
    for query in (source.typed("xyzzy"), source.query(((5,), np.ones(1))), source.query(((PICTURE,), np.ones(1)))):
        assert source.candidates(query, 9).tolist() == []
        assert similar(source, query) == [0] * 6
