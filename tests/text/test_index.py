import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.errors import QueryError
from nitari.filters import Selection
from nitari.text.words import terms

TITLES = [
    "red leather shoes",
    "赤い靴 東京",
    "東京都の地図",
    "京都 東山",
    "GrannySmith apple 500ml",
    "leather bag",
    "IMG_0001",
    "",
    None,
    "ブルーのスニーカー",
]


def oracle(texts, query):
    """BM25 and the share of words that are there, document by document; for words without parts."""
    held = [terms(text or "") for text in texts]
    mean = max(sum(map(len, held)) / max(len(held), 1), 1)
    asked = list(dict.fromkeys(terms(query)))
    idf = {t: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for t in asked for n in [sum(t in h for h in held)]}
    scores = []
    for own in held:
        norm = 1.2 * (0.25 + 0.75 * len(own) / mean)
        gained = sum(idf[t] * own.count(t) * 2.2 / (own.count(t) + norm) for t in asked)
        scores.append(gained * sum(idf[t] for t in asked if t in own) / sum(idf.values()))
    return np.array(scores)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abc ", max_size=12), min_size=1, max_size=40),
    st.text("abc ", min_size=1, max_size=6).filter(lambda text: text.strip()),
    st.integers(1, 50),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_the_best_by_bm25_among_the_selected(indexed, texts, query, k, share, seed):
    if any(word not in {t for text in texts for t in terms(text)} for word in terms(query)):
        return  # what is done then is tested below
    index, expected = indexed(texts), oracle(texts, query)
    rows = np.flatnonzero(np.random.default_rng(seed).random(len(texts)) < share)
    for where, admitted in ((None, np.arange(len(texts))), (Selection(None, rows), rows)):
        found = index.search(query, k, where=where)
        order = [row for row in admitted if expected[row] > 0]
        order.sort(key=lambda row: (-round(expected[row], 9), row))
        assert len(found.rows) == min(k, len(order))
        assert np.allclose(found.scores, expected[order[:k]])
        assert set(found.rows) <= set(order)
        assert (np.diff(found.scores) <= 0).all()
        assert (np.diff(found.rows)[np.diff(found.scores) == 0] > 0).all()
        assert np.array_equal(index.scores(query, found.rows), found.scores)
    assert np.allclose(index.scores(query, np.arange(len(texts))), expected)


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("東京", [1, 2]),
        ("靴", [1]),
        ("京都", [2, 3]),
        ("東京都", [2]),
        ("赤い靴", [1]),
        ("赤靴", [1]),  # never together: by character
        ("東京の靴", [1, 2]),  # never together: by part
        ("すにーかー", [9]),
        ("SHOE", [0]),
        ("granny smith", [4]),
        ("500 ml", [4]),
        ("500ml apple", [4]),
        ("leath", [0, 5]),  # not written to its end
        ("lether", [0, 5]),  # a letter missing
        ("elather", [0, 5]),  # two exchanged
        ("xyzzy", []),
        ('"leather" AND -bag* (red OR', [0, 5]),  # words, and nothing else
    ],
)
def test_what_is_typed_is_found(indexed, typed, rows):
    assert sorted(indexed(TITLES).search(typed, 10).rows) == rows


def test_an_item_with_all_words_comes_before_one_with_a_rare_word(indexed):
    index = indexed(["rare", "the usual and the rare", *["usual"] * 5, *["other"] * 30])
    assert index.search("rare usual", 3).rows.tolist()[0] == 1


def test_similarity_is_1_for_what_was_asked_and_less_for_a_part_of_it(indexed):
    index = indexed(["red shoe", "red bag", "blue bag", "green hat"])
    assert index.similarity("red shoe", [0, 1, 2]).tolist()[::2] == [1, 0]
    assert 0 < index.similarity("red shoe", [1])[0] < 0.5
    assert index.similarity("red xyzzy", [0])[0] < 0.5
    assert index.similarity("xyzzy", [0, 1]).tolist() == [0, 0]
    assert index.similarity(index.ask_like([3]), [0, 3]).tolist() == [0, 0]  # nobody else has a word of it
    assert index.similarity(index.ask_like([0]), [0])[0] == 1


def test_alike_is_what_shares_telling_words(indexed):
    index = indexed(["red shoe 1.jpg", "red shoe 2.jpg", "red bag 3.jpg", "blue hat 4.jpg", "hat 5.jpg", "scarf 6.jpg"])
    assert index.like([0], 9).rows.tolist() == [0, 1, 2]
    assert index.like([0, 3], 9, weights=[1, 3]).rows.tolist()[:2] == [4, 3]
    assert index.like([0, 3], 9, weights=[1, 0]).rows.tolist() == [0, 1, 2]
    assert index.like([0], 9, where=Selection(None, np.array([2, 3]))).rows.tolist() == [2]
    assert index.like([5], 9).rows.tolist() == []


def test_bad_requests_are_refused(indexed):
    index = indexed(TITLES)
    for text in ("", " ", "!?*", "\udc80"):
        with pytest.raises(QueryError, match="no word in it"):
            index.search(text, 3)
    with pytest.raises(QueryError, match="1,001 characters"):
        index.search("a" * 1001, 3)
    with pytest.raises(QueryError, match="k is 0"):
        index.search("a", 0)
    for row in (10, -1):
        with pytest.raises(QueryError, match=f"Row {row} was asked"):
            index.search("a", 3, where=Selection(None, np.array([row])))
        with pytest.raises(QueryError, match=f"Row {row} was asked"):
            index.scores("a", [row])
        with pytest.raises(QueryError, match=f"Row {row} was asked"):
            index.like([row], 3)


@pytest.mark.parametrize("texts", [[], [None], ["", "…"]])
def test_the_smallest_collections(indexed, texts):
    index = indexed(texts)
    assert len(index.search("shoe 靴", 3).rows) == 0
    assert index.scores("shoe", np.arange(len(texts))).tolist() == [0] * len(texts)
    assert len(index.like(range(len(texts)), 3).rows) == 0


def test_few_and_many_postings_give_the_same(indexed, monkeypatch):
    random = np.random.default_rng(0)
    index = indexed([" ".join(random.choice(list("abcdefgh"), 5)) for _ in range(300)])
    found = []
    for sparse in (0, 10**9):
        monkeypatch.setattr("nitari.text.index._SPARSE", sparse)
        found.append(index.search("a b c", 300))
    assert np.array_equal(found[0].rows, found[1].rows)
    assert np.allclose(found[0].scores, found[1].scores)


def test_several_threads_get_their_own_answers(indexed):
    random = np.random.default_rng(0)
    index = indexed([" ".join(random.choice(list("abcdefghijkl"), 4)) for _ in range(3000)])
    expected = {word: index.search(word, 50).rows for word in "abcd"}
    wrong = []

    def ask(word):
        for _ in range(20):
            if not np.array_equal(index.search(word, 50).rows, expected[word]):
                wrong.append(word)

    threads = [threading.Thread(target=ask, args=(word,)) for word in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
