"""A guess: what a mistyped name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_OFFERED = 3


def close(word: str, names: Iterable[str], n: int = 1) -> list[str]:
    """Up to ``n`` of ``names`` that ``word`` may have been meant to be, the likeliest first: one of the same letters, two of
    which have changed places, before any other.
    """
    there = list(dict.fromkeys(names))
    swapped = [name for name in there if name != word and sorted(name) == sorted(word)]
    others = [name for name in get_close_matches(word, there, n=n) if name not in swapped]
    return [*swapped, *others][:n]


def meant(word: str, names: Iterable[str], n: int = 1) -> str:
    """``Did you mean 'this'? `` with its space, or nothing where no name comes close."""
    found = close(word, names, n)
    return f"Did you mean {' or '.join(repr(name) for name in found)}? " if found else ""


def in_folder(name: str, paths: pa.ChunkedArray) -> str:
    """``. Did you mean folder/name?`` of those of ``paths`` that end in ``name`` after a folder, or nothing."""
    import pyarrow.compute as pc

    inside = paths.filter(pc.ends_with(paths, f"/{name}", ignore_case=True))
    more = " or another of them" if len(inside) > _OFFERED else ""
    return f". Did you mean {' or '.join(inside[:_OFFERED].to_pylist())}{more}?" if len(inside) else ""


def unknown(fact: str, word: str, names: Iterable[str], there: str = "It has") -> str:
    """``fact 'word'. Did you mean 'this'? It has: …``"""
    known = list(dict.fromkeys(names))
    return f"{fact} '{word}'. {meant(word, known)}{there}: {', '.join(known)}"
