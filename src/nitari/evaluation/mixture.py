"""A whole recommendation setting under test: several spaces, fused as a recommender fuses them, over every candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from nitari.errors import ConfigError
from nitari.evaluation.copies import KS, Copies
from nitari.evaluation.metrics import Estimate
from nitari.evaluation.ranking import BLOCK
from nitari.evaluation.subject import Subject
from nitari.recommend.calibration import Calibration, learn
from nitari.recommend.diversity import maximal_marginal_relevance
from nitari.recommend.question import Fuse
from nitari.recommend.scoring import check_weights, ranks, reciprocal, weighted

_LOOK = 128  # results that diverse ones are chosen from, or twice as many as asked for


@dataclass
class Mixture:
    """``weights``, ``fuse`` and ``diversity`` mean what they mean to ``Recommender.recommend``. No index takes part."""

    name: str
    subjects: Sequence[Subject]
    weights: Mapping[str, float]
    fuse: Fuse = "score"
    diversity: float = 0.0
    seed: int = 0
    _scales: dict[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._scales = {s.name: learn(s.space, s.vectors, self.seed) for s in self.subjects}

    def rank(
        self, queries: Mapping[str, np.ndarray], gallery: np.ndarray, k: int, *, exclude: np.ndarray | None = None
    ) -> np.ndarray:
        """(q, width) queries by space -> (q, k) rows of the gallery, best first; -1 where there are fewer.

        ``exclude`` (m, 2) are pairs of a query's position and a row that is passed over for it. Equal scores come in an
        order drawn by the seed.
        """
        gallery = np.random.default_rng(self.seed).permutation(gallery)
        place = np.full(int(gallery.max(initial=-1)) + 1, -1, np.int64)
        place[gallery] = np.arange(len(gallery))
        count = len(next(iter(queries.values())))
        rows = np.full((count, k), -1, np.int64)
        step = max(1, BLOCK // max(1, len(gallery) * len(self.subjects)))
        for start in range(0, count, step):
            block = {name: vectors[start : start + step] for name, vectors in queries.items()}
            for at, scores in enumerate(self._scores(block, gallery), start):
                if exclude is not None:
                    passed = exclude[exclude[:, 0] == at, 1]
                    scores[place[passed[passed < len(place)]]] = -np.inf
                best = self._best(scores, gallery, k)
                rows[at, : len(best)] = gallery[best]
        return rows

    def copy_hits(self, copies: Copies, groups: np.ndarray) -> np.ndarray:
        """(q, distortions, len(KS)) as ``copy_recall``: 1 where the original is among the first k of the gallery."""
        table = np.empty((len(copies.rows), len(copies.distortions), len(KS)))
        for at in range(len(copies.distortions)):
            asked = {s.name: copies.vectors[s.name][:, at] for s in self.subjects}
            rows = self.rank(asked, np.arange(len(groups)), max(KS))
            hits = (groups[rows] == groups[copies.rows][:, None]) & (rows >= 0)
            table[:, at] = np.stack([hits[:, :k].any(axis=1) for k in KS], axis=1)
        return table

    @property
    def bytes_per_picture(self) -> int:
        return sum(s.space.width * np.dtype(s.space.dtype).itemsize for s in self.subjects)

    def _scores(self, queries: Mapping[str, np.ndarray], gallery: np.ndarray) -> np.ndarray:
        """(q, gallery) float64."""
        similarity = {}
        for s in self.subjects:
            asked, among = s.space.check(queries[s.name]), s.space.check(s.vectors[gallery])
            similarity[s.name] = self._scales[s.name](s.space.distances(asked, among))
        if self.fuse == "score":
            return weighted(similarity, self.weights)
        order = np.arange(len(gallery))
        ranked = {name: np.stack([ranks(row, order) for row in values]) for name, values in similarity.items()}
        return reciprocal(ranked, self.weights)

    def _best(self, scores: np.ndarray, gallery: np.ndarray, k: int) -> np.ndarray:
        """(min(k, n),) positions in the gallery."""
        wanted = min(len(scores), max(_LOOK, 2 * k) if self.diversity else k)
        if not wanted:
            return np.empty(0, np.int64)
        best = np.argpartition(-scores, wanted - 1)[:wanted]
        best = best[np.lexsort((best, -scores[best]))]
        best = best[np.isfinite(scores[best])]
        if not self.diversity:
            return best
        each = {}
        for s in self.subjects:
            vectors = s.space.check(s.vectors[gallery[best]])
            each[s.name] = self._scales[s.name](s.space.distances(vectors, vectors))
        nothing = np.full(len(best), -np.inf)
        return best[maximal_marginal_relevance(scores[best], weighted(each, self.weights), nothing, self.diversity, k)]


def mixtures(settings: Mapping[str, Mapping[str, Any]], subjects: Sequence[Subject], seed: int = 0) -> list[Mixture]:
    """``{name: {weights, fuse, diversity}}`` -> what can be measured. ConfigError on a bad one, naming it."""
    spaces = {subject.name: subject for subject in subjects}
    found = []
    for name, given in settings.items():
        unknown = set(given) - {"weights", "fuse", "diversity"}
        if unknown or "weights" not in given:
            raise ConfigError(f"settings.{name} has {', '.join(sorted(given))}. Give weights, and fuse or diversity")
        if name in spaces:
            raise ConfigError(f"settings.{name} has the name of a space. Choose another one")
        fuse, diversity = given.get("fuse", "score"), float(given.get("diversity", 0.0))
        if fuse not in get_args(Fuse):
            raise ConfigError(f"settings.{name}.fuse is '{fuse}'. Choose one of: {', '.join(get_args(Fuse))}")
        if not 0 <= diversity <= 1:
            raise ConfigError(f"settings.{name}.diversity is {diversity}. Give a number from 0 to 1")
        try:
            weights = check_weights(given["weights"], spaces)
        except ConfigError as error:
            raise ConfigError(f"settings.{name}: {error}") from None
        found.append(Mixture(name, [spaces[space] for space in weights], weights, fuse, diversity, seed))
    return found


def together(rates: Sequence[Estimate | None]) -> Estimate | None:
    """Pictures a second through several extractors, one after the other: their times add up."""
    known = [rate for rate in rates if rate is not None]
    if not known or len(known) < len(rates):
        return None
    value, low, high = (1 / sum(1 / rate[end] for rate in known) for end in ("value", "low", "high"))
    return Estimate(value=value, low=low, high=high, queries=known[0]["queries"])
