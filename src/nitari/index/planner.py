"""The planner: how a search is answered for the least cost, given what a selection admits.

Costs are counted in vectors read in passing by an exact scan: about 22 ns each at dim 128. What everything else costs in
that coin was measured at 100,000 x 128 (benchmarks/filtered.py), and hardly depends on the dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nitari.filters import Selection
from nitari.index.duplicates import Distinct
from nitari.index.scan import Found, Scan, rank
from nitari.index.signs import WHOLE, Signs

_PART = 2000  # what a search costs besides, in vectors read in passing
_AGAIN = 0.5  # of an exact search's cost: what a second, wider search may cost
_LIKELY = 0.7  # of what is wanted is expected in that at least: farther out, more are admitted
_ASIDE = 0.25  # of the share that is admitted of all: a query in whose surroundings fewer are is far from them
_SCANNED = 4.0  # of a graph's cost: what a gathering may cost that is taken at once where the query is far
_SAMPLE, _AROUND = 1024, 32  # rows that stand for a region, and those of them that are a query's surroundings
_WORTH = 1.8  # of an engine's cost: what is given for a sieve, which finds what is far, too
_FURTHER = 8  # candidates beyond k that are ranked: what rounding may have put in another order


class Region:
    """Vectors that are searched as one: all, or those of one facet value. Its own numbers count from 0."""

    def __init__(self, scan: Scan, engine: Distinct | None, name: str = "", signs: Signs | None = None) -> None:
        self.scan = scan
        self.engine = engine
        self.signs = signs  # beside an engine: both find nearly all
        self.name = name  # "column=value"; "" for all

    def __len__(self) -> int:
        return len(self.scan)

    @cached_property
    def _sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers that stand for all, and their vectors, ready to compare."""
        numbers = np.sort(np.random.default_rng(0).choice(len(self), min(_SAMPLE, len(self)), replace=False))
        return numbers, self.scan.taken(numbers)

    def around(self, queries: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(q,) about what share of each query's surroundings ``mask`` admits."""
        numbers, vectors = self._sample
        near = np.argpartition(self.scan.space.distances(queries, vectors), min(_AROUND, len(numbers)) - 1, axis=1)
        return np.asarray(mask[numbers][near[:, :_AROUND]].mean(axis=1))

    def part(self, where: Selection, n: int) -> Part:
        """What ``where``, a selection of all n, admits here."""
        mask = where.mask(n)
        if self.scan.rows is None:
            return Part(self, None if where.count == n else mask, where.count, where)
        mask = mask[self.scan.rows]
        admitted = int(np.count_nonzero(mask))
        return Part(self, None if admitted == len(self) else mask, admitted)


class Part:
    """A region and which of it is admitted: ``mask`` (n,) bool, None for all. ``where`` is the selection that it is all of."""

    def __init__(self, region: Region, mask: np.ndarray | None, count: int, where: Selection | None = None) -> None:
        self.region = region
        self.mask = mask
        self.count = count
        self._where = where

    @property
    def exact(self) -> float:
        """What its exact search costs."""
        return len(self.region) if self.mask is None else min(len(self.region), self.count * self.region.scan.gathering)

    def sieve(self, wanted: int) -> float:
        """What comparing all of it by its signs costs."""
        signs = self.region.signs
        return math.inf if self.mask is None or signs is None else signs.cost(self.count, wanted)

    @cached_property
    def picked(self) -> np.ndarray | None:
        """The region's numbers that are admitted, ascending; None for all."""
        if self.mask is None:
            return None
        return np.flatnonzero(self.mask) if self._where is None else self._where.rows


class Plan(NamedTuple):
    """``kind``: ``engine`` or ``scan`` of all; ``widened`` engine, ``sieve`` or ``gather`` of what is admitted; ``in block``
    where a facet value has them to itself. ``fetch`` candidates by ``effort``: of an engine.
    """

    kind: str
    part: Part
    cost: float
    fetch: int = 0
    effort: int = 0


def plan(part: Part, k: int, effort: int) -> Plan:
    """The cheapest that finds the k nearest of a part. ``effort`` is what the unfiltered search was tuned to."""
    region, wanted = part.region, min(k, part.count)
    every, exact = part.mask is None, part.exact
    where = f" in {region.name}" if region.name else ""
    if region.engine is not None and wanted:
        share = part.count / len(region)
        wide = math.ceil(effort * (2 - share))  # the fewer are admitted, the farther away they are
        fetch = wanted if every else min(len(region), region.engine.free(_fetch(wanted, share), wide))
        cost = region.engine.cost(fetch, wide)
        sieve = part.sieve(wanted)
        if cost < (sieve / _WORTH if sieve < exact else exact):
            return Plan(("engine" if every else "widened") + where, part, cost, fetch, wide)
        if sieve < exact:
            return Plan("sieve" + where, part, sieve)
    return Plan(("scan" if every or exact == len(region) else "gather") + where, part, exact)


def cheapest(choices: Iterable[Iterable[Part]], k: int, effort: int) -> list[Plan]:
    """Of several ways to divide what is admitted, the one that costs least."""
    return min(
        ([plan(part, k, effort) for part in parts] for parts in choices),
        key=lambda plans: sum(p.cost + _PART for p in plans),
    )


def answer(chosen: Plan, queries: np.ndarray, k: int) -> tuple[Found, int]:
    """(rows, distances) of each query, and how many queries the graph left to a scan, or to a sieve.

    A filtered graph is left too early where the query is far from what is admitted, as real categories are: an answer
    counts as complete when k admitted ones are in the nearer half of what the graph looked at. Where a sample tells that
    a query is far, and finding all costs little more, the graph is not asked.
    """
    part, engine = chosen.part, chosen.part.region.engine
    if engine is None or not chosen.fetch:
        return _complete(part, queries, k), 0
    wanted = min(k, part.count)
    complete = min(part.exact, part.sieve(wanted))

    def candidates(asked: np.ndarray, fetch: int) -> list[np.ndarray]:
        return engine.candidates(asked, fetch, chosen.effort, fetch if part.mask is None else None)

    far = np.zeros(len(queries), bool)
    if part.mask is not None and complete < min(len(part.region), _SCANNED * chosen.cost):
        far = part.region.around(queries, part.mask) < _ASIDE * part.count / len(part.region)
    listed = iter(candidates(queries[~far], chosen.fetch) if not far.all() else [])
    found, fallen = [], 0
    for query, aside in zip(queries, far.tolist(), strict=True):
        near = np.empty(0, np.int64) if aside else _admitted(query, next(listed), part, chosen.fetch)
        if len(near) < wanted and part.mask is not None and not aside:
            share = max(len(near), 1) / chosen.fetch
            fetch = min(_fetch(wanted, share), len(part.region))
            while fetch > chosen.fetch and engine.cost(fetch, chosen.effort) >= _AGAIN * complete:
                fetch = int(0.7 * fetch)
            if fetch > chosen.fetch and fetch * share >= _LIKELY * wanted:
                near = _admitted(query, candidates(query[None], fetch)[0], part, fetch)
        if len(near) < wanted:
            found += _complete(part, query[None], k)
            fallen += 1
            continue
        found += _ranked(query, near, part, k)
    return found, fallen


def _complete(part: Part, queries: np.ndarray, k: int) -> Found:
    """Of all that is admitted, wherever it is: by its signs where that costs less, else exactly."""
    scan, signs = part.region.scan, part.region.signs
    if signs is None or part.mask is None or part.sieve(min(k, part.count)) >= part.exact:
        return scan.nearest(queries, k, part.picked)
    return [_sieved(part, signs, query, k) for query in queries]


def _sieved(part: Part, signs: Signs, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of what differs least in its signs: more is looked at where those found tell that nearer ones may differ
    as much, and everything where that is too much.
    """
    assert part.mask is not None
    scan, apart = part.region.scan, signs.apart(query, part.mask)
    wanted = min(k, part.count)
    limit = signs.first(apart, part.count, wanted)
    near = np.flatnonzero(apart <= limit)
    if len(near) < wanted:  # which a sample may tell too few of
        return scan.nearest(query[None], k, part.picked)[0]
    while len(near) <= WHOLE * part.count:
        rows, distances = scan.nearest(query[None], k, near)[0]
        wider = signs.limit(query, scan.taken(rows))
        if wider <= limit:
            return rows, distances
        near = np.sort(np.concatenate([rows, np.flatnonzero((apart > limit) & (apart <= wider))]))
        limit = wider
    return scan.nearest(query[None], k, part.picked)[0]


def _ranked(query: np.ndarray, near: np.ndarray, part: Part, k: int) -> Found:
    """The k nearest of candidates that are about in order."""
    scan, near = part.region.scan, near[: min(k, part.count) + _FURTHER]
    return [rank(scan.space, query, scan.origin, near if scan.rows is None else scan.rows[near], k)]


def _fetch(wanted: int, share: float) -> int:
    """Candidates among which twice as many as wanted should be admitted."""
    return math.ceil(2 * wanted / share)


def _admitted(query: np.ndarray, near: np.ndarray, part: Part, fetch: int) -> np.ndarray:
    """(m,) int64: the nearest ``fetch`` of what an engine gave, where they are admitted."""
    region = part.region
    if region.engine is not None and not region.engine.ranked:
        near = region.scan.order(query, near)[:fetch]
    return near if part.mask is None else near[part.mask[near]]
