"""Calibration: a space's distances on a scale that means the same in every space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nitari.space import Space

QUERIES, OTHERS = 500, 10_000  # random pairs are those of so many rows with so many others
_BLOCK = 100
_KNOTS = 48
_LEVEL = 0.8  # the similarity of a pair that is nearer than ...
_RARE = 1e-6  # ... all but this share of random pairs
DOUBLED = _LEVEL * float(np.log(2) / np.log(0.5 / _RARE))
"""How much less similar the last candidate of a source is where it proposes twice as many."""
_FAR = 0.05  # what each further length of the largest distance seen takes off


@dataclass(frozen=True)
class Calibration:
    """A falling, piecewise linear map from ``distances`` (m,), ascending from 0, to ``similarities`` (m,).

    1 is the same vector and 0 no nearer than the median random pair; in between, equal steps are equal factors of how
    rare it is that a random pair is as near: 0.8 is one in a million, and the steps go on below 0. How unlikely a
    distance is by chance, as what is compared, is a contrario matching: Rabin, Delon and Gousseau, "A statistical
    approach to the matching of local features" (SIAM Journal on Imaging Sciences, 2009).
    """

    distances: np.ndarray
    similarities: np.ndarray

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Any shape of distances -> float64 similarities, falling strictly wherever distances rise."""
        last = self.distances[-1]
        beyond = np.maximum(np.asarray(distances, np.float64) / last - 1.0, 0.0)
        return np.asarray(np.interp(distances, self.distances, self.similarities) - _FAR * beyond)

    @property
    def median(self) -> float:
        """The distance of similarity 0: that of the median random pair."""
        return float(np.interp(0.0, self.similarities[::-1], self.distances[::-1]))

    def to_dict(self) -> dict[str, list[float]]:
        return {
            "distances": [float(f"{value:.7g}") for value in self.distances],
            "similarities": [round(float(value), 6) for value in self.similarities],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> Calibration:
        return cls(np.array(values["distances"], np.float64), np.array(values["similarities"], np.float64))


def learn(space: Space, vectors: np.ndarray, seed: int = 0) -> Calibration:
    """The calibration of (n, width) stored vectors, which may be a memory map: 5 million random pairs at most."""
    random = np.random.default_rng(seed)
    n = len(vectors)
    queries = np.sort(random.choice(n, min(QUERIES, n), replace=False))
    others = np.sort(random.choice(n, min(OTHERS, n), replace=False))
    against = space.check(vectors[others]) if n else np.empty((0, space.width), np.float32)
    found = []
    for start in range(0, len(queries), _BLOCK):
        rows = queries[start : start + _BLOCK]
        apart = space.distances(space.check(vectors[rows]), against)
        found.append(apart[rows[:, None] != others])
    return _fitted(np.concatenate(found) if found else np.empty(0, np.float32))


def _fitted(pairs: np.ndarray) -> Calibration:
    """From the distances (m,) of random pairs; without any that is above 0, a line from 1 to 0."""
    if not len(pairs) or not pairs.max() > 0:
        return Calibration(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    shares = np.geomspace(1 / len(pairs), 1.0, _KNOTS)
    shares[-1] = 1.0  # what geomspace rounds would be above every quantile
    distances = np.quantile(pairs, shares, method="inverted_cdf").astype(np.float64)
    positive = distances > 0  # equal vectors are similar by 1, however many there are
    distances, shares = distances[positive], shares[positive]
    last = np.append(np.diff(distances) > 0, True)  # of equal distances, the share of all pairs up to them
    similarities = _LEVEL * np.log(0.5 / shares[last]) / np.log(0.5 / _RARE)
    return Calibration(np.append(0.0, distances[last]), np.append(1.0, similarities))
