"""Which of k kinds a picture belongs to; a person looks at each kind once, names it, and then filters by the name."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nitari.annotator import Whole
from nitari.artifact import Artifact
from nitari.catalog import COLUMNS
from nitari.embeddings import Embeddings
from nitari.errors import ConfigError, MissingExtraError
from nitari.images.sheet import contact_sheet
from nitari.space import unit

log = logging.getLogger(__name__)

_CENTROIDS, _STATE = "centroids.npy", "clusters.json"
_WARD, _LLOYD = 5_000, 100_000  # vectors that are joined, and that then move the centres, at most
_BLOCK = 65536
_SHOWN, _ROWS, _SIDE = 12, 10, 96  # pictures a row, rows a sheet, pixels


class ClustersAnnotator:
    """Columns ``cluster``, ``cluster_id`` and ``cluster_distance``; contact sheets of each cluster's most central pictures.

    Centres come from Ward's method on a sample (Ward, "Hierarchical grouping to optimize an objective function", JASA
    1963), are moved by k-means (Lloyd, "Least squares quantization in PCM", 1982), and are numbered by size, 0 being the
    largest. ``cluster`` is the name that ``names`` gives to a number, or else the number; ``cluster_distance`` is the
    distance from the centre in ``space``. A zero vector belongs to none.

    With the same ``space`` (made in the same way), ``k`` and ``seed`` as before, the centres stay and new pictures go to
    the nearest; names stay as well, unless given anew, or null to take one away. Otherwise centres are found anew, and
    each keeps the name that most of its pictures had.

    ``column`` is what the first column is called, and the others begin with.
    """

    def __init__(
        self,
        name: str = "clusters",
        space: str = "encoder",
        k: int = 40,
        names: Mapping[int | str, str | None] | str | None = None,
        column: str = "cluster",
        seed: int = 0,
    ) -> None:
        if k < 2:
            raise ConfigError(f"annotator.k is {k}. Give 2 clusters at least")
        self.name = name
        self.spaces = [space]
        self.k = k
        self.names = _names(names, k)
        self.column = column
        self.seed = seed
        self.columns = {column: pa.string(), f"{column}_id": pa.int32(), f"{column}_distance": pa.float32()}

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "_target_": "nitari.annotator.clusters.ClustersAnnotator",
            "name": self.name,
            "space": self.spaces[0],
            "k": self.k,
            "names": {str(number): name for number, name in self.names.items()},
            "column": self.column,
            "seed": self.seed,
        }

    def survey(self, whole: Whole) -> pa.Table:
        embeddings = whole.embeddings[self.spaces[0]]
        settings = {"name": self.spaces[0], "k": self.k, "seed": self.seed, "made": embeddings.made}
        state = _state(whole.before)
        kept = whole.before is not None and state["settings"] == settings
        if kept and whole.before is not None:
            centres = np.load(whole.before.file(_CENTROIDS), allow_pickle=False)
        else:
            centres = self._centres(embeddings)
        ids, distances = _assign(embeddings, centres, whole)
        known = {int(number): name for number, name in state["names"].items()}
        if not kept and whole.before is not None:
            known = _moved(known, whole, ids, self.column, self.k)
        names = {number: name for number, name in sorted((known | self.names).items()) if name is not None}
        np.save(whole.out / _CENTROIDS, centres)
        text = json.dumps({"settings": settings, "names": names}, ensure_ascii=False, indent=1)
        (whole.out / _STATE).write_text(text, encoding="utf-8")
        self._draw(whole, ids, distances, names)
        called = pa.array([names.get(number, str(number)) for number in range(self.k)], pa.string())
        outside = ids < 0
        values = [
            called.take(pa.array(ids, mask=outside)),
            pa.array(ids, pa.int32(), mask=outside),
            pa.array(distances, pa.float32(), mask=outside),
        ]
        return pa.table(values, schema=pa.schema(list(self.columns.items())))

    def _centres(self, embeddings: Embeddings) -> np.ndarray:
        """(k, dim) float32, those of the largest clusters first."""
        try:
            from sklearn.cluster import AgglomerativeClustering, KMeans
        except ImportError:
            raise MissingExtraError("scikit-learn", "train") from None
        space = embeddings.space
        if space.metric == "hamming":
            raise ConfigError(
                f"Space '{space.name}' compares bits, which have no mean. Cluster another: annotator.space=…"
            )
        random = np.random.default_rng(self.seed)
        rows = _sample(np.arange(len(embeddings.vectors)), _LLOYD, random)
        vectors = space.check(np.asarray(embeddings.vectors[rows]))
        vectors = np.unique(vectors[vectors.any(axis=1)], axis=0)
        if len(vectors) < self.k:
            raise ConfigError(
                f"annotator.k is {self.k}, and the pictures have {len(vectors)} different vectors. Give fewer"
            )
        some = vectors[_sample(np.arange(len(vectors)), max(_WARD, self.k), random)]
        joined = AgglomerativeClustering(self.k).fit_predict(some)
        first = np.stack([some[joined == number].mean(axis=0) for number in range(self.k)])
        moved = KMeans(self.k, init=first, n_init=1, random_state=self.seed).fit(vectors)
        order = np.argsort(-np.bincount(moved.labels_, minlength=self.k), kind="stable")
        centres: np.ndarray = moved.cluster_centers_[order].astype(np.float32)
        return unit(centres) if space.metric == "cosine" else centres

    def _draw(self, whole: Whole, ids: np.ndarray, distances: np.ndarray, names: Mapping[int, str]) -> None:
        """Contact sheets, a row a cluster, the most central picture first."""
        order = np.lexsort((distances, ids))
        ends = np.searchsorted(ids[order], np.arange(self.k + 1))
        for page, start in enumerate(range(0, self.k, _ROWS), 1):
            rows, labels = [], []
            for number in range(start, min(start + _ROWS, self.k)):
                members = order[ends[number] : ends[number + 1]]
                rows.append(whole.read(members[:_SHOWN].tolist(), _SIDE))
                name = f" {names[number]}" if number in names else ""
                labels.append(f"{number}{name}: {len(members):,} pictures")
            contact_sheet(rows, row_labels=labels, cell=_SIDE).save(whole.out / f"clusters-{page:02d}.jpg", quality=88)


def _names(given: Mapping[int | str, str | None] | str | None, k: int) -> dict[int, str | None]:
    """{number: name} as a setting or the path of a JSON file gives it."""
    if isinstance(given, str):
        try:
            given = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"annotator.names is '{given}', which cannot be read: {error}") from None
    names: dict[int, str | None] = {}
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"annotator.names is {given}. Give numbers and names, such as {{3: bags}}")
    for number, name in (given or {}).items():
        if not str(number).isdecimal() or int(number) >= k:
            raise ConfigError(f"annotator.names names cluster '{number}'. There are clusters 0 to {k - 1}")
        if name is not None and not str(name).strip():
            raise ConfigError(f"annotator.names gives cluster {number} an empty name. Give null to take its name away")
        names[int(number)] = None if name is None else str(name).strip()
    return names


def _state(before: Artifact | None) -> dict[str, Any]:
    if before is None or _STATE not in before.manifest.files:
        return {"settings": None, "names": {}}
    state: dict[str, Any] = json.loads(before.file(_STATE).read_text(encoding="utf-8"))
    return state


def _assign(embeddings: Embeddings, centres: np.ndarray, whole: Whole) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the nearest centre, -1 of a zero vector, and (n,) float32 how far it is."""
    n, space = len(embeddings.vectors), embeddings.space
    ids, distances = np.empty(n, np.int32), np.empty(n, np.float32)
    for start in range(0, n, _BLOCK):
        part = slice(start, min(start + _BLOCK, n))
        vectors = space.check(np.asarray(embeddings.vectors[part]))
        apart = space.distances(vectors, centres)
        ids[part], distances[part] = apart.argmin(axis=1), apart.min(axis=1)
        ids[part][~vectors.any(axis=1)] = -1
        whole.progress(part.stop, n)
    return ids, distances


def _moved(names: Mapping[int, str], whole: Whole, ids: np.ndarray, column: str, k: int) -> dict[int, str]:
    """The names of other clusters, each given to those clusters of now whose pictures mostly had it."""
    before = whole.before
    if before is None or f"{column}_id" not in before.manifest.info["columns"]:
        return {}
    old = pq.read_table(before.file(COLUMNS), columns=[f"{column}_id"]).column(0).fill_null(-1).to_numpy()
    seen = np.flatnonzero((whole.was >= 0) & (ids >= 0))
    called = sorted(set(names.values()))
    at = {number: called.index(name) for number, name in names.items()}
    had = np.array([at.get(number, -1) for number in range(max(old.max(initial=0), *names, 0) + 1)] + [-1])
    kept = {}
    for number in range(k):
        found = had[old[whole.was[seen[ids[seen] == number]]]]
        if len(found) and called:
            votes = np.bincount(found[found >= 0], minlength=len(called))
            if 2 * votes.max() > len(found):
                kept[number] = called[int(votes.argmax())]
    for name in sorted(set(called) - set(kept.values())):
        log.warning("Clusters were found anew, and none is mostly what was called '%s'", name)
    return kept


def _sample(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))
