import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.arguments import choose, items, parse
from nitari.errors import ConfigError

DEFAULTS = {
    "collection": str,
    "like": list,
    "k": 12,
    "share": 0.5,
    "where": None,
    "format": "table",
    "verbose": False,
    "spaces": [],
    "weights": {},
}
NEEDED = ["collection=shoes", "like=a"]


def test_every_key_has_a_value_of_its_type() -> None:
    values = parse([*NEEDED, "k=5", "share=.25", "verbose=yes", "spaces=encoder, pixels"], DEFAULTS, "recommend")
    assert values == {
        "collection": "shoes",
        "like": ["a"],
        "k": 5,
        "share": 0.25,
        "where": None,
        "format": "table",
        "verbose": True,
        "spaces": ["encoder", "pixels"],
        "weights": {},
    }


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("where=category='bag' and price<50", "category='bag' and price<50"),
        ("where='category=bag'", "category=bag"),
        ("where='category'='bag'", "'category'='bag'"),
        ('where="it\'s"', "it's"),
        ("where=", ""),
        ("where=name='a=b'", "name='a=b'"),
        ("where=null", None),
        ("where=色='赤'", "色='赤'"),
    ],
)
def test_a_filter_is_taken_as_typed(word: str, expected: str | None) -> None:
    assert parse([*NEEDED, word], DEFAULTS, "recommend")["where"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("'a,b.jpg',c", ["a,b.jpg", "c"]),
        ("my photo.jpg, other.jpg", ["my photo.jpg", "other.jpg"]),
        ("'it''s, here'", ["it's, here"]),
        ("'s Gravenhage.jpg,b", ["'s Gravenhage.jpg", "b"]),
        ("a,,b,", ["a", "b"]),
        ("", []),
    ],
)
def test_items(text: str, expected: list[str]) -> None:
    assert items(text) == expected


@pytest.mark.parametrize("text", ["encoder:2,pixels:.5", "encoder=2, pixels=0.5", "{encoder: 2, pixels: .5}"])
def test_weights_are_numbers_by_name(text: str) -> None:
    assert parse([*NEEDED, f"weights={text}"], DEFAULTS, "recommend")["weights"] == {"encoder": 2.0, "pixels": 0.5}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["like=a b"], "'collection' has no value. Give it as: nitari recommend 'like=a b' collection=…"),
        ([*NEEDED, "kk=3"], "no setting 'kk'. Did you mean 'k'?"),
        ([*NEEDED, "zzz=3"], "It knows: collection, like"),
        ([*NEEDED, "--k=3"], "'--k=3' is not a setting. Write k=3"),
        ([*NEEDED, "verbose"], "Write verbose=…"),
        ([*NEEDED, "x y"], "Settings are written key=value"),
        ([*NEEDED, "k=3.5"], "k is '3.5'. Give a whole number"),
        ([*NEEDED, "k="], "k is ''. Give a whole number"),
        ([*NEEDED, "share=nan"], "share is 'nan'. Give a number"),
        ([*NEEDED, "verbose=maybe"], "verbose is 'maybe'. Give true or false"),
        ([*NEEDED, "weights=encoder"], "weights has 'encoder'. Write it as name:number"),
        ([*NEEDED, "weights=encoder:much"], "weights of 'encoder' is 'much'. Give a number"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(words, DEFAULTS, "recommend")
    assert message in str(error.value)


def test_choose() -> None:
    assert choose({"format": "json"}, "format", ("table", "json")) == "json"
    with pytest.raises(ConfigError, match="Choose one of: table, json"):
        choose({"format": "xml"}, "format", ("table", "json"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused_by_name(text: str) -> None:
    values = parse([*NEEDED, f"where={text}"], DEFAULTS, "recommend")
    assert values["where"] is None or isinstance(values["where"], str)
    for key in ("k", "spaces", "weights"):
        try:
            parse([*NEEDED, f"{key}={text}"], DEFAULTS, "recommend")
        except ConfigError as error:
            assert key in str(error)
