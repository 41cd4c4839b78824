"""Which of two releases people prefer, by what they click in lists interleaved of both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nitari.evaluation.metrics import Estimate

_CREDIT = ("clicked", "liked")
_COUNTED = ("shown", "clicked", "liked", "hidden")
_Z = 1.959964  # of a 95% interval
Query = tuple[str, str | None]
"""An opaque query and the session it was asked in."""


class Log:
    """Feedback events, counted once each: what happened to an item in a query, however often it was reported.

    An event that names no arm counts for the arm of its item's other events in that query. One without a query is counted
    by itself, and takes no part in comparisons.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self.events = 0
        self.seen: dict[Query, dict[str, set[str]]] = {}
        self._arms: dict[tuple[Query, str], str] = {}
        self._alone: Counter[tuple[str | None, str]] = Counter()
        self.sessions: set[str] = set()
        for event in events:
            self.events += 1
            kind, item, query, session = event["event"], event["item_id"], event["query"], event["session"]
            if session is not None:
                self.sessions.add(session)
            if query is None:
                self._alone.update((arm, kind) for arm in {None, event["arm"]})
                continue
            asked = (query, session)
            self.seen.setdefault(asked, {}).setdefault(kind, set()).add(item)
            if event["arm"] is not None:
                self._arms.setdefault((asked, item), event["arm"])

    def arm(self, query: Query, item: str) -> str | None:
        return self._arms.get((query, item))

    def counts(self) -> dict[str | None, dict[str, int]]:
        """By arm, None for all events together: how many items were shown, clicked, liked, hidden."""
        found: dict[str | None, dict[str, int]] = {None: dict.fromkeys(_COUNTED, 0)}
        for (arm, kind), count in self._alone.items():
            found.setdefault(arm, dict.fromkeys(_COUNTED, 0))[kind] += count
        for query, kinds in self.seen.items():
            for kind, items in kinds.items():
                for item in items:
                    for arm in {None, self.arm(query, item)}:
                        found.setdefault(arm, dict.fromkeys(_COUNTED, 0))[kind] += 1
        return found

    def queries(self) -> pd.DataFrame:
        """One row a query in which items of two arms were seen, and some clicked or liked: ``query``, ``session``, its arms
        ``a`` and ``b`` (by name), their ``credit_a`` and ``credit_b`` (distinct items clicked or liked), and ``winner``, None
        in a tie.
        """
        rows = []
        for query, kinds in self.seen.items():
            items = {item for shown in kinds.values() for item in shown}
            pair = sorted({arm for item in items if (arm := self.arm(query, item)) is not None})
            credited = [self.arm(query, item) for item in set().union(*(kinds.get(kind, ()) for kind in _CREDIT))]
            if len(pair) != 2 or not any(credited):
                continue
            a, b = (credited.count(arm) for arm in pair)
            winner = None if a == b else pair[0] if a > b else pair[1]
            rows.append((query[0], query[1], *pair, a, b, winner))
        columns = ["query", "session", "a", "b", "credit_a", "credit_b", "winner"]
        return pd.DataFrame(rows, columns=columns).astype({"winner": object, "session": object})


def outcome(events: Iterable[Mapping[str, Any]] | Log, *, seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """What feedback says: counts and click-through rates by arm, and of each two arms that were interleaved, which is preferred.

    ``preference`` is the share of queries with clicks or likes that the later release (by id) won, ties counting half: as
    Chapelle, Joachims, Radlinski and Yue, "Large-scale validation and analysis of interleaved search evaluation" (TOIS
    2012), and 0.5 where nobody is preferred. Its 95% interval holds the percentile bootstrap's, resampling sessions
    (queries, where those have none), and Wilson's, which knows that few queries tell little. ``verdict`` names the arm that
    it shows to be preferred, or None. Rates have Wilson's interval.
    """
    log = events if isinstance(events, Log) else Log(events)
    counts = log.counts()
    arms = {}
    for arm in sorted(counts, key=lambda arm: arm or ""):
        of = counts[arm]
        rate = share(min(of["clicked"], of["shown"]), of["shown"]) if of["shown"] else None
        arms["all" if arm is None else arm] = {**of, "click_through": rate}
    queries = log.queries()
    compared = [_compare(str(a), str(b), rows, seed, resamples) for (a, b), rows in queries.groupby(["a", "b"])]
    return {
        "events": log.events,
        "queries": len(log.seen),
        "sessions": len(log.sessions),
        "arms": arms,
        "compared": compared,
    }


def share(hits: float, of: int) -> Estimate:
    """hits / of with Wilson's score interval: "Probable inference, the law of succession, and statistical inference" (JASA 1927)."""
    p, z2 = hits / of, _Z**2
    middle, half = p + z2 / (2 * of), _Z * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2))
    low, high = (middle - half) / (1 + z2 / of), (middle + half) / (1 + z2 / of)
    return Estimate(value=p, low=max(0.0, min(low, p)), high=min(1.0, max(high, p)), queries=of)


def _compare(a: str, b: str, rows: pd.DataFrame, seed: int, resamples: int) -> dict[str, Any]:
    won = np.where(rows["winner"].isna(), 0.5, rows["winner"] == b).astype(float)
    found = share(float(won.sum()), len(rows))
    low, high = _resampled(won, rows["session"].fillna("\0" + rows["query"]), seed, resamples)
    preference = Estimate(
        value=found["value"], low=min(low, found["low"]), high=max(high, found["high"]), queries=len(rows)
    )
    return {
        "arms": [a, b],
        "queries": len(rows),
        "sessions": int(rows["session"].nunique()),
        "clicks": {a: int(rows["credit_a"].sum()), b: int(rows["credit_b"].sum())},
        "wins": {arm: int((rows["winner"] == arm).sum()) for arm in (a, b)},
        "ties": int(rows["winner"].isna().sum()),
        "preferred": b,
        "preference": preference,
        "verdict": b if preference["low"] > 0.5 else a if preference["high"] < 0.5 else None,
    }


def _resampled(won: np.ndarray, groups: pd.Series, seed: int, resamples: int) -> tuple[float, float]:
    """95% percentile interval of the mean, whole groups being drawn: queries of one person are alike."""
    table = pd.DataFrame({"won": won, "group": groups.to_numpy()}).groupby("group", sort=True)["won"]
    sums = np.stack([table.sum().to_numpy(), table.count().to_numpy(float)], axis=1)
    n = len(sums)
    random = np.random.default_rng(seed)
    step = max(1, 4_000_000 // n)
    drawn = np.concatenate(
        [
            random.multinomial(n, np.full(n, 1 / n), size=min(step, resamples - start)) @ sums
            for start in range(0, resamples, step)
        ]
    )
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)
