"""Values: what a filter compares a column with. Quotes tell text from numbers where an order is asked for."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Word(str):
    """Text that stood in a filter without quotes: what reads as a number is one. Equal to the same text in quotes."""

    __slots__ = ()


Value = str | int | float | bool


def is_number(value: Value) -> bool:
    """Whether a number is meant: one of Python's, or what reads as one, such as 3, -1.5 or 1e5, without quotes."""
    if isinstance(value, str):
        return isinstance(value, Word) and _NUMBER.fullmatch(value) is not None
    return not isinstance(value, bool)


def is_quoted_number(value: Value) -> bool:
    """Whether text is meant that reads as a number."""
    return isinstance(value, str) and not isinstance(value, Word) and _NUMBER.fullmatch(value) is not None
