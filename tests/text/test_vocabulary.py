import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.text.vocabulary import Vocabulary, one_edit, signature


def vocabulary(terms):
    terms = sorted({term.encode() for term in terms})
    starts = np.cumsum([0, *map(len, terms)])
    letters = np.frombuffer(b"".join(terms), np.uint8)
    return Vocabulary(letters, starts, signature(letters, starts[:-1]) if terms else np.empty(0, np.uint64))


WORDS = st.sets(st.text("abcé東", min_size=1, max_size=5), max_size=30)


@given(WORDS, st.text("abcé東", max_size=5))
def test_terms_are_found_by_name_and_by_beginning(terms, wanted):
    known = vocabulary(terms)
    found = known.find(wanted)
    assert (found is not None) == (wanted in terms)
    assert found is None or known[found] == wanted
    assert {known[number] for number in known.beginning(wanted)} == {term for term in terms if term.startswith(wanted)}


def distance(a, b):
    """Optimal string alignment, by the book."""
    d = {(i, j): i + j for i in range(len(a) + 1) for j in range(len(b) + 1) if not i or not j}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return d[len(a), len(b)]


@given(st.sets(st.text("abcd", min_size=1, max_size=6), max_size=30), st.text("abcd", min_size=1, max_size=6))
def test_near_terms_are_one_edit_away(terms, wanted):
    known = vocabulary(terms)
    found = {known[number] for number in known.near(wanted)}
    assert found - {wanted} == {term for term in terms if distance(term, wanted) == 1}


@pytest.mark.parametrize(("a", "b"), [("shoe", "shoes"), ("shoe", "hoe"), ("shoe", "shae"), ("shoe", "hsoe")])
def test_one_edit(a, b):
    assert one_edit(a.encode(), b.encode())
    assert one_edit(b.encode(), a.encode())
    assert not one_edit(a.encode(), (b + "xy").encode())
