"""``key=value`` words of the commands that know no Hydra, typed by their defaults."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from nitari.errors import ConfigError, QueryError
from nitari.guess import meant

T = TypeVar("T")
_KEY = re.compile(r"[A-Za-z_][\w.]*")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_ITEM = re.compile(rf"\s*(?:(?P<quoted>{_QUOTED})|(?P<plain>[^,]*?))\s*(?P<end>,|$)", re.DOTALL)


def parse(words: Sequence[str], defaults: Mapping[str, Any], command: str) -> dict[str, Any]:
    """``["k=5", "where=price<50 and tag='a b'"]`` -> every key of ``defaults`` with its value.

    A default's type is the value's type: str, int, float, bool, list (of strings) or dict (of numbers). ``None`` is an
    optional string, and a type in a default's place means that the key is required: ``{"collection": str, "k": 12}``.
    A value is everything after the first ``=``, so it may hold spaces, quotes and more ``=``; one pair of quotes
    around all of it is dropped, ``null`` gives the default, and the last of several words for one key counts.

    Raises ConfigError on an unknown key (with the nearest known one), a missing one, and a value of another type.
    """
    values = {key: default for key, default in defaults.items() if not isinstance(default, type)}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            bare = key.lstrip("-")
            hint = f" Write {bare}={text or '…'}" if bare in defaults else " Settings are written key=value"
            raise ConfigError(f"'{word}' is not a setting.{hint}. See: nitari {command} --help")
        if key not in defaults:
            hint = meant(key, defaults) or f"It knows: {', '.join(defaults)}. "
            raise ConfigError(f"nitari {command} has no setting '{key}'. {hint}See: nitari {command} --help")
        default = defaults[key]
        if text.strip() == "null" and not isinstance(default, type):
            values[key] = default
        else:
            kind = default if isinstance(default, type) else str if default is None else type(default)
            values[key] = _typed(key, unquote(text), kind)
    missing = [key for key in defaults if key not in values]
    if missing:
        shown = " ".join([*map(shlex.quote, words), *(f"{key}=…" for key in missing)])
        raise ConfigError(f"'{missing[0]}' has no value. Give it as: nitari {command} {shown}")
    return values


def choose(values: Mapping[str, Any], key: str, choices: Sequence[str]) -> str:
    """The value of ``key``; raises ConfigError unless it is one of ``choices``."""
    if values[key] not in choices:
        raise ConfigError(f"{key} is '{values[key]}'. Choose one of: {', '.join(choices)}")
    return str(values[key])


def items(text: str) -> list[str]:
    """``a, b,'c, d'`` or ``[a, b]`` -> its parts; quotes keep a comma, and a doubled quote inside them is one."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    parts, at = [], 0
    while at < len(text):
        match = _ITEM.match(text, at)
        if match is None:  # a quote that ends before the next comma: the part is as it stands
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            parts.append(text[at:end].strip())
            at = end + 1
            continue
        parts.append(unquote(match["quoted"]) if match["quoted"] else match["plain"])
        at = match.end()
    return [part for part in parts if part]


def named(text: str, find: Callable[[str], T]) -> list[T]:
    """What ``find`` gives for the whole text, as a name may have commas, or else for each of its ``items``. QueryError of one
    that is not found.
    """
    whole, parts = unquote(text), items(text)
    try:
        return [find(whole)]
    except QueryError:
        if not parts or parts == [whole]:
            raise
    return [find(part) for part in parts]


def unquote(text: str) -> str:
    """Drop one pair of quotes that encloses the whole text; other quotes stay."""
    stripped = text.strip()
    if re.fullmatch(_QUOTED, stripped):
        return stripped[1:-1].replace(stripped[0] * 2, stripped[0])
    return text


def _typed(key: str, text: str, kind: type) -> Any:
    if kind is str:
        return text
    if kind in (list, tuple):
        return items(text)
    if kind is dict:
        return numbers(key, text)
    try:
        if kind is bool:
            return _BOOLEANS[text.strip().lower()]
        number = kind(text.strip().replace("_", ""))
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    except (KeyError, ValueError):
        what = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind.__name__]
        raise ConfigError(f"{key} is '{text}'. Give {what}") from None


def numbers(key: str, text: str) -> dict[str, float]:
    """``encoder:1,pixels:.5`` (or with ``=``, or in braces) -> numbers by name; ConfigError, where ``key`` is what has them."""
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    found = {}
    for part in items(text):
        name, mark, value = re.split(r"\s*([:=])\s*", part, maxsplit=1) if re.search("[:=]", part) else (part, "", "")
        if not mark or not name:
            raise ConfigError(f"{key} has '{part}'. Write it as name:number,name:number")
        found[unquote(name)] = float(_typed(f"{key} of '{name}'", value, float))
    return found
