import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.text.words import needed, parts, singular, terms, words


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("東京都の靴", "東京"),
        ("東京都の靴", "靴"),
        ("ｶﾒﾗとﾊﾟｰﾙ", "カメラ"),
        ("ｶﾒﾗとﾊﾟｰﾙ", "ぱーる"),
        ("Ｔシャツ", "t"),
        ("Red Shoes", "red"),
        ("Red Shoes", "SHOE"),
        ("Café", "cafe"),
        ("Straße", "STRASSE"),
        ("Levi's", "levis"),
        ("Levi’s", "levi"),
        ("IMG_0123.jpg", "0123"),
        ("GrannySmith", "smith"),
        ("GrannySmith", "grannysmith"),
        ("500ml", "500"),
        ("iPhone", "iphone"),
        ("서울역", "서울"),
        ("㍿東京", "株式会社"),
    ],
)
def test_what_is_written_is_found_by_what_is_typed(written, typed):
    assert {term for word in words(typed) for term in needed(word)} <= set(terms(written))


@pytest.mark.parametrize(("written", "typed"), [("京都", "東京"), ("shoe", "show"), ("はな", "ばな"), ("本日", "日本")])
def test_other_words_are_not(written, typed):
    assert not {term for word in words(typed) for term in needed(word)} <= set(terms(written))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("GrannySmith", ["Granny", "Smith"]),
        ("500ml", ["500", "ml"]),
        ("赤い靴", ["赤", "靴"]),
        ("食べ物カメラ", ["食", "物", "カメラ"]),
        ("りんご", ["りんご"]),
        ("shoe", ["shoe"]),
    ],
)
def test_compounds_have_parts(word, expected):
    assert parts(word) == expected


def test_a_checksum_is_one_word():
    assert terms("3f2a1c9e8d7b") == ["3f2a1c9e8d7b"]


@pytest.mark.parametrize(
    ("plural", "one"),
    [("shoes", "shoe"), ("berries", "berry"), ("dresses", "dress"), ("boxes", "box"), ("watches", "watch")]
    + [(word, word) for word in ("glass", "bus", "gas", "s", "")],
)
def test_plurals_become_singular(plural, one):
    assert singular(plural) == one


@given(st.text(max_size=40))
def test_any_text_is_found_by_its_own_words(text):
    held = set(terms(text))
    for word in words(text):
        assert word
        assert set(needed(word)) <= held
        assert all(part for part in parts(word))
    for term in held:
        assert len(term.encode()) <= 4 * 3 * 64
