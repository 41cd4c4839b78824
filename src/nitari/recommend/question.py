"""A question: what a recommendation was asked for, checked, with items as catalog rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from nitari.catalog import Catalog
from nitari.errors import QueryError
from nitari.recommend.source import Encoded, Picture, Seeds

Fuse = Literal["score", "rank"]
Unlike = Literal["subtract", "penalise", "avoid"]
Likes = str | Picture | Sequence[str | Picture]


@dataclass(frozen=True)
class Question:
    """``likes`` with weights above 0, the history among them, ``unlikes`` with weights that sum to 1; ``hidden`` (m,)
    rows are not shown.
    """

    likes: Seeds
    unlikes: Seeds
    unlike_by: Unlike
    strength: float
    weights: Mapping[str, float]
    hidden: np.ndarray
    fuse: Fuse
    diversity: float
    collapse: bool
    echo: bool

    @classmethod
    def of(
        cls,
        like: tuple[int | Picture, ...],
        like_weights: Sequence[float] | None,
        unlike: tuple[int | Picture, ...],
        unlike_weights: Sequence[float] | None,
        history: Mapping[int, float],
        *,
        exclude: Iterable[int],
        echo: bool,
        **settings: Any,
    ) -> Question:
        """``history`` are weights by row, ``exclude`` rows; QueryError where there is nothing to like, and on bad numbers."""
        if not like and not history:
            raise QueryError("like is empty. Give at least one item or picture, or a history of items that are there")
        for name in ("diversity", "strength"):
            if not 0 <= settings[name] <= 1:
                what = "unlike_strength" if name == "strength" else name
                raise QueryError(f"{what} is {settings[name]}. Give a number from 0 to 1")
        liked = shares(len(like), like_weights, "like_weights") if like or like_weights is not None else np.empty(0)
        away = shares(len(unlike), unlike_weights, "unlike_weights") if unlike else np.empty(0)
        seeds = Seeds(like + tuple(history), np.concatenate([liked, list(history.values())]))
        hidden = {*exclude, *(entry for entry in (() if echo else seeds.entries) + unlike if isinstance(entry, int))}
        away = away / away.sum() if len(away) else away
        rows = np.array(sorted(hidden), np.int64)
        return cls(seeds, Seeds(unlike, away), hidden=rows, echo=echo, **settings)

    def parts(self) -> list[Any]:
        """All that makes it another question, for a cursor."""
        seeds = [[list(part.entries), part.weights.tolist()] for part in (self.likes, self.unlikes)]
        how = [self.unlike_by, self.strength, dict(self.weights), self.fuse, self.diversity, self.collapse]
        return [seeds, how, self.hidden.tolist(), self.echo]

    @property
    def seeds(self) -> Seeds:
        """What the query of each source is made of."""
        if self.unlike_by != "subtract" or not self.unlikes.entries:
            return self.likes
        away = -self.strength * self.likes.weights.sum() * self.unlikes.weights
        return Seeds(self.likes.entries + self.unlikes.entries, np.concatenate([self.likes.weights, away]))


def entries(catalog: Catalog, items: Likes) -> tuple[int | Picture, ...]:
    """Rows of items, and pictures as they are. QueryError on an unknown item."""
    listed = [items] if isinstance(items, str | bytes | np.ndarray | Encoded) else items
    return tuple(catalog.row(item) if isinstance(item, str) else item for item in listed)


def shares(count: int, weights: Sequence[float] | None, what: str) -> np.ndarray:
    """(count,) float64, all 1 without ``weights``."""
    found = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < 0).any() or not found.any():
        raise QueryError(f"{what} are {weights}. Give {count} numbers: none below 0, one above it")
    return found


def known(catalog: Catalog, items: Iterable[str]) -> Iterable[tuple[str, int]]:
    """(item, row) of those that the catalog has."""
    for item in items:
        try:
            yield item, catalog.row(item, hint=False)
        except QueryError:
            continue


def decayed(catalog: Catalog, history: Sequence[str] | Mapping[str, float], half_life: float) -> dict[int, float]:
    """Weights by row of what a user looked at: halved every ``half_life`` items, or every so much age where ages are
    given. Items that are gone are passed over, but count as steps back.
    """
    if not half_life > 0:
        raise QueryError(f"half_life is {half_life}. Give a number of items above 0")
    ages = dict(history) if isinstance(history, Mapping) else {item: at for at, item in reversed([*enumerate(history)])}
    found: dict[int, float] = {}
    for item, row in known(catalog, ages):
        if not ages[item] >= 0:
            raise QueryError(f"history has '{item}' with age {ages[item]}. Give ages from 0 on, 0 the newest")
        found[row] = max(found.get(row, 0.0), float(0.5 ** (ages[item] / half_life)))
    return {row: weight for row, weight in found.items() if weight > 0}


def check_choice(value: str, kind: object, what: str) -> str:
    if value not in get_args(kind):
        raise QueryError(f"{what} is '{value}'. Choose one of: {', '.join(get_args(kind))}")
    return value
