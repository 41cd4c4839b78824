import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from nitari.train.overrides import quote


def value(word: str) -> object:
    return OverridesParser.create().parse_override(word).value()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("where=category='bag' and price<50", "category='bag' and price<50"),
        ("queries=split=validation", "split=validation"),
        ("where=tag in (a, b)", "tag in (a, b)"),
        ("source.path=/some where/a,b", "/some where/a,b"),
        ("where=name='it''s'", "name='it''s'"),
        ("where=名前=東京", "名前=東京"),
        ("source.path=C:\\pictures\\", "C:\\pictures\\"),
        ("n=3", 3),
        ("labels=null", None),
        ("thumbnails=[96,256]", [96, 256]),
    ],
)
def test_values_arrive_as_typed(word: str, expected: object):
    assert value(quote([word])[0]) == expected


def test_choices_stay_choices_under_multirun():
    assert quote(["-m", "seed=1,2,3"]) == ["-m", "seed=1,2,3"]
    assert quote(["seed=1,2,3"]) == ["seed='1,2,3'"]


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"], exclude_characters="$"), min_size=1, max_size=12))
def test_any_text_with_a_filter_in_it_survives(text: str):
    word = f"where=a<{text}"
    assert value(quote([word])[0]) == word.removeprefix("where=")


def test_a_sweep_keeps_its_choices_and_quotes_filters():
    words = ["model.dim=64,128", "queries=split=validation", "where=price<50", "+experiment=plain,full"]
    assert quote(words, sweep=True) == [
        "model.dim=64,128",
        "queries='split=validation'",
        "where='price<50'",
        "+experiment=plain,full",
    ]
