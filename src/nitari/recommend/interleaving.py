"""Interleaving: one list out of two rankings, so that whoever uses it compares them without knowing."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from nitari.errors import QueryError

Item = TypeVar("Item", bound=Hashable)


def team_draft(
    rankings: Mapping[str, Iterable[Item]], k: int | None = None, *, seed: int | str = 0
) -> list[tuple[Item, str]]:
    """The first ``k`` (None: all) of two rankings of distinct items, best first, each with the arm that picked it.

    Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval quality?" (CIKM 2008): in each round a coin
    says who picks first, and both pick their best item that nobody has picked. An item that both would have picked counts
    for the one that did, so that clicks on equal rankings favour neither. Once one ranking is used up, the other fills the
    list. More than two arms pick in the order of a shuffle a round.

    The same ``seed`` gives the same list, and of more items a list that begins with it: pages fit together. Draw one a
    query. Raises QueryError without two arms or with k below 1.
    """
    if len(rankings) < 2:
        raise QueryError(f"There are {len(rankings)} rankings to interleave. Give two")
    if k is not None and k < 1:
        raise QueryError(f"k is {k}. Ask for at least 1 result")
    return list(islice(drafted(rankings, seed=seed), k))


def drafted(rankings: Mapping[str, Iterable[Item]], *, seed: int | str = 0) -> Iterator[tuple[Item, str]]:
    """As ``team_draft``, one after another; rankings are read no further than that takes."""
    coin = random.Random(seed)
    left = {arm: iter(ranking) for arm, ranking in rankings.items()}
    picked: set[Item] = set()
    while left:
        order = sorted(left)
        coin.shuffle(order)
        for arm in order:
            item = next((item for item in left[arm] if item not in picked), None)
            if item is None:
                del left[arm]
                continue
            picked.add(item)
            yield item, arm
