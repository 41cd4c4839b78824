"""Filters over catalog columns, as data and as text: ``category='bag' and (price<50 or not in_stock=false)``.

Grammar, keywords in any case::

    filter     = and { "or" and }
    and        = not { "and" not }
    not        = "not" not | "(" filter ")" | comparison
    comparison = column ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | column ["not"] "in" "(" value { "," value } ")"
               | column "is" ["not"] "null"

Quotes, single or double, are optional around plain words; a quote inside is doubled. A missing value equals nothing
and is in no range, so ``not`` and ``!=`` admit it: a filter and its negation always share out the whole catalog. An order
is of numbers, or of text, which says so by quotes where it reads as a number: ``price<50``, ``folder>'3'``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nitari.errors import FilterError
from nitari.value import Value, Word, is_quoted_number

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<operator>!=|<=|>=|=|<|>)|(?P<mark>[(),])|(?P<word>[^\s()=!<>,'"]+))"""
)
_KEYWORDS = {"and", "or", "not", "in", "is", "null"}
_MAX_DEPTH = 64


@dataclass(frozen=True)
class Eq:
    column: str
    value: Value
    position: int = 0


@dataclass(frozen=True)
class In:
    column: str
    values: tuple[Value, ...]
    position: int = 0


@dataclass(frozen=True)
class Range:
    """``low`` and ``high`` may be None: no bound on that side."""

    column: str
    low: Value | None = None
    high: Value | None = None
    include_low: bool = True
    include_high: bool = True
    position: int = 0


@dataclass(frozen=True)
class IsNull:
    column: str
    position: int = 0


@dataclass(frozen=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    part: Filter


Filter = Eq | In | Range | IsNull | And | Or | Not


class Selection:
    """What a search may return: the parsed filter, and the catalog rows it admits (ascending int64), exclusions taken out.

    Made of ``rows``, or by ``of`` from a mask; whichever is lacking is worked out when it is first asked for. Neither
    array may be written to.
    """

    def __init__(self, filter: Filter | None, rows: np.ndarray) -> None:
        self.filter = filter
        self.count = len(rows)
        self._rows: np.ndarray | None = rows
        self._mask: np.ndarray | None = None

    @classmethod
    def of(cls, filter: Filter | None, mask: np.ndarray) -> Selection:
        """The rows where ``mask`` (n,) bool is true."""
        selection = cls(filter, np.empty(0, np.int64))
        selection._rows, selection._mask, selection.count = None, mask, int(np.count_nonzero(mask))
        mask.flags.writeable = False
        return selection

    @property
    def rows(self) -> np.ndarray:
        if self._rows is None:
            self._rows = np.flatnonzero(self._mask)  # type: ignore[arg-type]
        return self._rows

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest row that may be admitted; (0, -1): there is none."""
        if self._mask is not None:
            return 0, len(self._mask) - 1
        return (int(self.rows[0]), int(self.rows[-1])) if self.count else (0, -1)

    def mask(self, n: int) -> np.ndarray:
        """(n,) bool, where n is the number of rows that are selected from."""
        if self._mask is None or len(self._mask) != n:
            mask = np.zeros(n, bool)
            mask[self.rows] = True
            mask.flags.writeable = False
            self._mask = mask
        return self._mask

    def without(self, rows: np.ndarray, n: int) -> Selection:
        """The same of ``n`` rows without a few of them."""
        mask = self.mask(n).copy()
        mask[rows] = False
        return Selection.of(self.filter, mask)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(text: str) -> Filter:
    """Text -> filter. Raises FilterError pointing at the place."""
    return _Parser(text).parse()


def to_text(node: Filter) -> str:
    """The text that parses to an equal filter (positions aside)."""
    if isinstance(node, Eq):
        return f"{_quote(node.column)}={_quote(node.value)}"
    if isinstance(node, In):
        return f"{_quote(node.column)} in ({', '.join(_quote(v) for v in node.values)})"
    if isinstance(node, IsNull):
        return f"{_quote(node.column)} is null"
    if isinstance(node, Not):
        return f"not ({to_text(node.part)})"
    if isinstance(node, And | Or):
        word = " and " if isinstance(node, And) else " or "
        return word.join(f"({to_text(part)})" for part in node.parts)
    low = "" if node.low is None else f"{_quote(node.column)}{'>=' if node.include_low else '>'}{_quote(node.low)}"
    high = "" if node.high is None else f"{_quote(node.column)}{'<=' if node.include_high else '<'}{_quote(node.high)}"
    return " and ".join(part for part in (low, high) if part)


def columns(node: Filter) -> set[str]:
    """The columns that a filter names."""
    if isinstance(node, Not):
        return columns(node.part)
    if isinstance(node, And | Or):
        return set().union(*(columns(part) for part in node.parts))
    return {node.column}


def _quote(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    match = _TOKEN.fullmatch(text)
    if match and match["word"] == text and text.lower() not in _KEYWORDS and not is_quoted_number(value):
        return text
    return "'" + text.replace("'", "''") + "'"


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            what = "This quote is not closed" if text[at] in "'\"" else f"'{text[at]}' is not expected here"
            raise FilterError(what, text, at)
        kind, position = match.lastgroup, match.start(match.lastgroup)
        word: str = Word(match[kind])
        if kind == "quoted":
            word = word[1:-1].replace(word[0] * 2, word[0])
        elif kind == "word" and word.lower() in _KEYWORDS:
            kind, word = "keyword", word.lower()
        tokens.append(_Token(kind, word, position))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    def parse(self) -> Filter:
        if not self.tokens:
            raise FilterError("The filter is empty. Write for example: category=bag and price<50", self.text, 0)
        node = self._or()
        if self.at < len(self.tokens):
            raise self._error("'and', 'or' or the end is expected here")
        return node

    def _or(self) -> Filter:
        parts = [self._and()]
        while self._take("keyword", "or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Filter:
        parts = [self._not()]
        while self._take("keyword", "and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Filter:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._error(f"The filter nests more than {_MAX_DEPTH} levels deep; write it flatter")
        try:
            if self._take("keyword", "not"):
                return Not(self._not())
            if self._take("mark", "("):
                node = self._or()
                self._expect("mark", ")")
                return node
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> Filter:
        column = self._word("a column name")
        if self._take("keyword", "is"):
            negated = self._take("keyword", "not")
            self._expect("keyword", "null")
            null = IsNull(column.text, column.position)
            return Not(null) if negated else null
        negated = self._take("keyword", "not")
        if negated or self._peek("keyword", "in"):
            self._expect("keyword", "in")
            inside = In(column.text, self._values(), column.position)
            return Not(inside) if negated else inside
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != "operator":
            raise self._error("One of = != < <= > >= in is not not is expected after the column name")
        operator = self.tokens[self.at].text
        self.at += 1
        if operator == "=" and self._peek("operator", "="):
            raise self._error("One = compares; this is the second")
        value = self._word("a value")
        if operator == "=":
            return Eq(column.text, value.text, value.position)
        if operator == "!=":
            return Not(Eq(column.text, value.text, value.position))
        if operator[0] == "<":
            return Range(column.text, high=value.text, include_high=operator == "<=", position=value.position)
        return Range(column.text, low=value.text, include_low=operator == ">=", position=value.position)

    def _values(self) -> tuple[Value, ...]:
        self._expect("mark", "(")
        values: list[Value] = [self._word("a value").text]
        while self._take("mark", ","):
            values.append(self._word("a value").text)
        self._expect("mark", ")")
        return tuple(values)

    def _word(self, what: str) -> _Token:
        if self.at < len(self.tokens) and self.tokens[self.at].kind in ("word", "quoted"):
            self.at += 1
            return self.tokens[self.at - 1]
        hint = ""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "keyword":
            hint = f"; '{self.tokens[self.at].text}' is a keyword, quote it to use it as {what}"
        raise self._error(f"{what.capitalize()} is expected here{hint}")

    def _peek(self, kind: str, text: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][:2] == (kind, text)

    def _take(self, kind: str, text: str) -> bool:
        found = self._peek(kind, text)
        self.at += found
        return found

    def _expect(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise self._error(f"'{text}' is expected here")

    def _error(self, message: str) -> FilterError:
        position = self.tokens[self.at].position if self.at < len(self.tokens) else len(self.text.rstrip())
        return FilterError(message, self.text, position)
