import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import FilterError
from nitari.filters import And, Eq, Filter, In, IsNull, Not, Or, Range, parse, to_text


def strip(node: Filter) -> object:
    """A filter without positions, to compare shapes."""
    if isinstance(node, And | Or):
        return type(node).__name__, [strip(part) for part in node.parts]
    if isinstance(node, Not):
        return "Not", strip(node.part)
    return type(node).__name__, {k: v for k, v in vars(node).items() if k != "position"}


def test_reads_the_grammar():
    node = parse("category='bag' and (price<50 or not tag in (a, \"b c\")) and x is not null")
    assert strip(node) == strip(
        And(
            (
                Eq("category", "bag"),
                Or((Range("price", high="50", include_high=False), Not(In("tag", ("a", "b c"))))),
                Not(IsNull("x")),
            )
        )
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a!=1", "not a=1"),
        ("a NOT IN (1,2)", "not a in (1, 2)"),
        ("a = b AND c = d or e=f", "(a=b and c=d) or e=f"),
        ("名前=東京", "'名前'='東京'"),
        ("a='it''s'", 'a="it\'s"'),
    ],
)
def test_ways_to_say_the_same(text: str, same: str):
    assert strip(parse(text)) == strip(parse(same))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("a=", 2),
        ("a b", 2),
        ("a='x", 2),
        ("(a=1", 4),
        ("a in ()", 6),
        ("and=1", 0),
        ("a=1 b=2", 4),
        ("a=1 and", 7),
        ("a is nul", 5),
        ("a=!", 2),
        ("a=='b'", 2),
        ("(" * 100 + "a=1" + ")" * 100, 64),
    ],
)
def test_errors_point_at_the_place(text: str, position: int):
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert text in str(caught.value)


def test_a_second_equals_sign_is_told_apart():
    with pytest.raises(FilterError, match="One = compares; this is the second"):
        parse("a == 'b'")


names = st.text(min_size=1, max_size=8).filter(lambda s: s.strip() == s and s.isprintable())
leaves = st.one_of(
    st.builds(Eq, names, names),
    st.builds(In, names, st.lists(names, min_size=1, max_size=3).map(tuple)),
    st.builds(Range, names, names, st.none(), st.booleans(), st.just(True)),
    st.builds(IsNull, names),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner)),
    ),
    max_leaves=6,
)


@given(trees)
def test_text_and_tree_say_the_same(node: Filter):
    assert strip(parse(to_text(node))) == strip(node)


def test_quotes_tell_text_from_numbers():
    for text in ("a>3", "a>'3'", "a<=-1.5e3", "a<='b c'", "a='3'"):
        assert to_text(parse(text)) == text


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(text: str):
    try:
        parse(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
