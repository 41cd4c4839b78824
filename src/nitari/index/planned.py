"""What every index shares: exact scans, facet blocks, engines beside them, and the planner that picks among them."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

import numpy as np
import pyarrow as pa

from nitari.errors import ConfigError, DamagedArtifactError
from nitari.files import sha256_of
from nitari.filters import Selection
from nitari.index import SearchResult, check_request, padded
from nitari.index.codes import Codes
from nitari.index.duplicates import Distinct, Picked
from nitari.index.engine import Engine
from nitari.index.facets import Facets
from nitari.index.planner import Part, Plan, Region, answer, cheapest, plan
from nitari.index.scan import Scan
from nitari.index.signs import Signs
from nitari.space import Metric, Space

_MANY = 1.5  # what a scan for hundreds of rows costs, in scans for few
_OWN = 25_000  # rows of a facet value that get an engine of their own, ...
_OWN_SHARE = 0.1  # ... where they are at least this share of all: it holds a copy of its vectors


class Planned:
    """An index of one engine, or of none: then every search is exact.

    ``arguments`` are the constructor's parameters that a saved index is opened with. ``plans`` counts queries by the
    plan that answered them, and those a graph left to a scan as ``fallback``.
    """

    metrics: ClassVar[tuple[str, ...]] = get_args(Metric)
    sweep: ClassVar[tuple[str, tuple[int, ...]] | None] = None
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, space: Space) -> None:
        if space.metric not in self.metrics:
            raise ConfigError(
                f"{type(self).__name__} searches {' and '.join(self.metrics)} spaces; '{space.name}' is {space.metric}. "
                "Build it with: index=exact"
            )
        self.space = space
        self.plans: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._stored: dict[str, tuple[Path, str]] = {}  # by the name of an engine's file: where it is, and its sha256
        self._adopt(Scan(space, np.empty((0, space.width), space.dtype), True))

    def engine(self) -> Engine | None:
        """A new one, empty."""
        return None

    def build(self, vectors: np.ndarray, attributes: pa.Table | None = None) -> None:
        """(n, width) vectors, which may be a memory map, and the columns (n,) whose large values are laid out by themselves.

        Raises QueryError where a vector is not finite.
        """
        scan = Scan.of(self.space, vectors)
        self._adopt(scan, Facets.of(scan, attributes))
        for region in self._with_engine():
            engine, rows = self.engine(), region.scan.rows
            if engine is not None:
                region.engine = Distinct(engine, len(region))
                region.engine.build(vectors if rows is None else Picked(vectors, rows))
        if self._whole.engine is not None and scan.codes is not None:
            self._whole.signs = Signs.of(self.space, vectors)

    def plan(self, k: int, where: Selection | None = None) -> list[Plan]:
        """How a search would be answered: one plan, or several where what is admitted lies in several facet blocks."""
        whole, effort = self._whole, 0 if self.sweep is None else getattr(self, self.sweep[0])
        if where is None:
            return [plan(Part(whole, None, len(whole)), k, effort)]
        n = len(whole)
        return cheapest([[whole.part(where, n)], *self._facets.divide(where, n)], k, effort)

    def search(self, queries: np.ndarray, k: int, *, where: Selection | None = None) -> SearchResult:
        check_request(self.space, len(self._whole), k, where)
        queries = self.space.check(queries)
        found = None
        for chosen in self.plan(k, where):
            part, fallen = answer(chosen, queries, k)
            found = part if found is None else [_merged(*both, k) for both in zip(found, part, strict=True)]
            with self._counting:
                self.plans[chosen.kind] += len(queries)
                if fallen:
                    self.plans["fallback"] += fallen
        return padded(found or [], k)

    def propose(self, query: np.ndarray, k: int, care: float = 1.0, *, where: Selection | None = None) -> np.ndarray:
        """(m,) int64 rows that are about the k nearest: what a search finds with ``care`` times half of the effort
        that it is tuned to, about in order.

        Exactly min(k, rows that ``where`` admits), as a search.
        """
        engine = self._whole.engine
        n = len(self._whole)
        if where is None and engine is not None and 0 < k <= n and engine.cost(k // 2, 0) < _MANY * n:
            effort = 0 if self.sweep is None else round(care * getattr(self, self.sweep[0]) / 2)
            found = engine.propose(self.space.check(query), k, effort)
            if len(found) == k:
                return found
        rows = self.search(query, k, where=where).rows[0]
        return rows[rows >= 0]

    def save(self, path: Path) -> dict[str, Any]:
        """Write everything under ``path``. Engines that were loaded are copied, and verified."""
        files: dict[str, str] = {}
        if self._stored:
            for name, (file, digest) in self._stored.items():
                shutil.copyfile(file, path / name)
                files[name] = digest
            verify(self.space, path, files)
        else:
            for stem, region in self._engines():
                assert region.engine is not None
                files |= {name: sha256_of(path / name) for name in region.engine.save(path, stem)}
        scan, signs = self._whole.scan, self._whole.signs
        return {
            "count": len(scan),
            "dim": self.space.dim,
            "unit": scan.unit,
            "codes": scan.codes.save(path, "codes") if scan.codes else None,
            "signs": signs.save(path, "signs") if signs else None,
            "facets": self._facets.save(path),
            "files": files,
            **{name: getattr(self, name) for name in self.arguments},
        }

    @classmethod
    def load(cls, path: Path, space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> Self:
        check_parameters(space, vectors, parameters)
        index = cls(space, **{name: parameters[name] for name in cls.arguments})
        codes = parameters["codes"]
        codes = Codes.load(path, "codes", space, len(vectors), codes) if codes else None
        scan = Scan(space, vectors, bool(parameters["unit"]), codes)
        index._adopt(scan, Facets.load(scan, path, parameters["facets"]))
        if signs := parameters.get("signs"):
            index._whole.signs = Signs.load(path, "signs", space, len(vectors), signs)
        verify(space, path, parameters["files"])
        index._stored = {name: (path / name, digest) for name, digest in parameters["files"].items()}
        for region in index._with_engine():
            engine = index.engine()
            region.engine = None if engine is None else Distinct(engine, len(region))
        for stem, region in index._engines():
            assert region.engine is not None
            region.engine.load(path, stem)
        return index

    def _adopt(self, scan: Scan, facets: Facets | None = None) -> None:
        self._whole = Region(scan, None)
        self._facets = facets or Facets(scan, [])
        self._stored = {}

    def _with_engine(self) -> list[Region]:
        """The regions that are large enough for an engine: all vectors, and the largest blocks."""
        least = max(_OWN, _OWN_SHARE * len(self._whole))
        large = [region for regions in self._facets.regions for region in regions if len(region) >= least]
        return [self._whole, *large] if len(self._whole) else []

    def _engines(self) -> list[tuple[str, Region]]:
        """(stem of its files, region) of those that have one."""
        stems = {id(self._whole): "graph"}
        for i, regions in enumerate(self._facets.regions):
            stems |= {id(region): f"graph-{i}-{j}" for j, region in enumerate(regions)}
        return [(stems[id(region)], region) for region in self._with_engine() if region.engine is not None]


def check_least(**values: tuple[int, int]) -> None:
    """Raise ConfigError where a parameter, ``name=(value, least)``, is below its least value."""
    for name, (value, least) in values.items():
        if value < least:
            raise ConfigError(f"{name} is {value}. Give at least {least}")


def check_parameters(space: Space, vectors: np.ndarray, parameters: Mapping[str, Any]) -> None:
    """Raise DamagedArtifactError unless an index with these parameters was built from vectors of this shape."""
    built = (int(parameters["count"]), int(parameters["dim"]))
    if built != (len(vectors), space.dim):
        raise DamagedArtifactError(
            f"The index of space '{space.name}' was built from {built[0]} vectors of dim {built[1]}; it stands beside "
            f"{len(vectors)} of dim {space.dim}. It was not loaded. Renew it with: nitari build collection=…"
        )


def verify(space: Space, path: Path, files: Mapping[str, str]) -> None:
    """Raise DamagedArtifactError unless each file has its sha256: native libraries crash the process on a damaged one."""
    for name, expected in files.items():
        file = path / name
        found = sha256_of(file) if file.is_file() else "nothing"
        if found != expected:
            raise DamagedArtifactError(
                f"The index of space '{space.name}' is damaged: '{name}' has sha256 {found[:12]}…, not "
                f"{expected[:12]}…. It was not loaded. Renew it with: nitari build collection=…"
            )


def _merged(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    rows, distances = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.lexsort((rows, distances))[:k]
    return rows[order], distances[order]
