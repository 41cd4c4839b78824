"""Cursors: where the next page begins, bound to the release and to everything that was asked."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np

from nitari.errors import QueryError
from nitari.recommend.source import Encoded

DEEPEST = 10_000
"""Results before a page, at most: a ranking is walked through from its beginning."""


def fingerprint(*asked: Any) -> str:
    """The same for the same question. Pictures count by their bytes."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=_digest).encode()).hexdigest()[:24]


def write(position: int, question: str, release: str) -> str:
    """Opaque, and safe in a URL."""
    return base64.urlsafe_b64encode(f"{position}.{question}.{release}".encode()).decode().rstrip("=")


def release_of(cursor: str) -> str | None:
    """The id of the release whose pages a cursor goes through, or None where it is damaged."""
    try:
        return _parts(cursor)[2]
    except ValueError:
        return None


def read(cursor: str, question: str, deepest: int = DEEPEST) -> int:
    """The position; QueryError where the cursor is damaged, or was given for another question or release."""
    try:
        position, asked, _ = _parts(cursor)
    except ValueError:
        raise QueryError(f"after is '{cursor}', which is no cursor. Give the 'after' of a page, or nothing") from None
    if asked != question or position < 0:
        raise QueryError(
            f"after is '{cursor}', the cursor of another query or release. Ask as for the page that gave it, or begin "
            "without one"
        )
    if position > deepest:
        raise QueryError(
            f"after is '{cursor}', and {position:,} results were given before it: {deepest:,} is the deepest a page may "
            "begin. Narrow the question with where instead"
        )
    return position


def _parts(cursor: str) -> tuple[int, str, str]:
    """Position, question and release; ValueError."""
    text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    position, question, release = text.split(".")
    return int(position), question, release


def _digest(value: Any) -> str:
    if isinstance(value, Encoded):
        value = "".join(f"{space}:{_digest(vector)}" for space, vector in sorted(value.vectors.items()))
    if isinstance(value, np.ndarray):
        value = str(value.shape).encode() + np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(value if isinstance(value, bytes) else repr(value).encode()).hexdigest()
