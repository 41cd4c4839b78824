import numpy as np
import pytest

from nitari.filters import Selection
from nitari.recommend.source import Seeds, Source
from nitari.recommend.words import TextSource
from nitari.text.build import write
from nitari.text.index import TextIndex

PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def source(tmp_path):
    write(tmp_path, ["red shoe", "red bag", "blue shoe", "green hat", "green hat", "scarf"])
    return TextSource(TextIndex(tmp_path))


def like(*entries):
    return Seeds(entries, np.ones(len(entries)))


def test_is_a_source(source):
    assert isinstance(source, Source)


def test_rows_with_the_words_of_liked_items(source):
    query = source.query(like(3))
    assert source.candidates(query, 9).tolist() == [3, 4]
    assert source.similarity(source.measure(query, np.array([3, 4, 0]))).tolist() == [1, 1, 0]


def test_what_is_not_admitted_is_not_proposed_and_what_was_added_later_has_no_words(source):
    query = source.query(like(3, 7))
    assert source.candidates(query, 9, Selection(None, np.array([2, 4, 6, 7]))).tolist() == [4]
    assert source.measure(query, np.array([4, 6, 7])).tolist() == [1, 0, 0]


def test_what_should_be_avoided_is_no_word_to_look_for(source):
    query = source.query(Seeds((0, 1), np.array([1.0, -1.0])))
    assert 2 in source.candidates(query, 9)
    assert 1 not in source.candidates(query, 9)


@pytest.mark.parametrize(
    "seeds", [like(5), like(PICTURE), like(9)], ids=["a word of its own", "a picture", "added later"]
)
def test_without_a_word_that_others_share_nothing_is_proposed(source, seeds):
    query = source.query(seeds)
    assert source.candidates(query, 9).tolist() == []
    assert source.measure(query, np.arange(6)).tolist() == [0] * 6


@pytest.fixture
def grown(source):
    """Rows 6 to 8 were added: what is read of them is read once."""
    read = []

    def added():
        read.append(1)
        return ["red shoe", "scarf", "yellow coat"]

    grown = TextSource(source.index, ["file_name"], added)
    yield grown
    assert len(read) <= 1


def test_what_was_added_is_found_by_what_is_typed(grown):
    assert grown.candidates(grown.typed("red shoe"), 9).tolist()[:2] == [0, 6]
    query = grown.typed("coat")
    assert grown.candidates(query, 9).tolist() == [8]
    assert grown.measure(query, np.array([0, 8])).tolist() == [0, pytest.approx(0.964, abs=0.001)]  # longer than most
    assert grown.candidates(grown.typed("scarf"), 9, Selection(None, np.array([0, 5]))).tolist() == [5]
    assert grown.candidates(grown.typed("scarf"), 9, Selection(None, np.array([0, 6, 7, 8]))).tolist() == [7]


def test_what_one_side_holds_is_not_guessed_by_the_other(tmp_path):
    write(tmp_path, ["red coat", "warm coat", "coat"])
    source = TextSource(TextIndex(tmp_path), [], lambda: ["boat", "boat shoe"])
    assert sorted(source.candidates(source.typed("boat"), 9).tolist()) == [3, 4]
    assert sorted(source.candidates(source.typed("coat"), 9).tolist()) == [0, 1, 2]
    assert (
        source.candidates(source.typed("coats boat"), 9).tolist()[0] == 3
    )  # nobody has coats: coat is meant, and counts less
    assert sorted(source.candidates(source.typed("boa"), 9).tolist()) == [3, 4]


def test_a_word_counts_the_same_on_both_sides(tmp_path):
    everything = ["red coat", "blue coat", "coat", "red shoe", "green shoe", "coat"]
    write(tmp_path, everything)
    whole = TextIndex(tmp_path)
    (tmp_path / "part").mkdir()
    write(tmp_path / "part", everything[:4])
    source = TextSource(TextIndex(tmp_path / "part"), [], lambda: everything[4:])
    for text in ("red coat", "green", "shoe red", "coat"):
        query = source.typed(text)
        found = source.measure(query, np.arange(6))
        assert np.allclose(found, whole.similarity(whole.ask(text), np.arange(6)), atol=0.03), text


def test_what_was_added_is_liked_and_is_like_others(grown):
    query = grown.query(like(5))  # the word of one indexed item, and of one that was added
    assert grown.candidates(query, 9).tolist() == [5, 7]
    assert grown.measure(query, np.array([5, 7, 0])).tolist() == [1, 1, 0]
    query = grown.query(like(6))
    assert sorted(grown.candidates(query, 2).tolist()) == [0, 6]
    assert grown.query(like(8)) is None


@pytest.mark.parametrize("k", [1, 2, 3, 20])
def test_the_best_of_both_come_first(grown, k):
    query = grown.query(like(0))
    found = grown.candidates(query, k)
    everything = grown.candidates(query, 100)
    assert found.tolist() == everything.tolist()[:k]
    assert (np.diff(grown.measure(query, everything)) <= 0).all()
