"""More like this: pinned spaces, indexes and catalog of one release -> ranked items."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ConfigError, QueryError
from nitari.filters import Filter
from nitari.index import Index, open_index
from nitari.recommend.page import Page, Result
from nitari.recommend.scoring import check_weights, combine, score

Picture = np.ndarray | bytes
"""(H, W, 3) uint8 upright RGB, or the bytes of a picture file."""
Encode = Callable[[str, Sequence[Picture]], np.ndarray]
"""(space name, n pictures) -> (n, width) final vectors of that space."""

_DEPTH = 10  # candidates a result that each of several spaces proposes
_LEAST = 50


class Recommender:
    """Serves one release. Thread-safe: spaces and indexes are verified and opened by the first query that needs them."""

    def __init__(self, collection: Collection, release: Artifact, encode: Encode | None = None) -> None:
        self.collection = collection
        self.release = release
        self.catalog = Catalog.pinned(collection, release)
        self.spaces: list[str] = list(release.manifest.info["spaces"])
        self.weights: dict[str, float] = dict(release.manifest.info["weights"])
        self._encode = encode
        self._open: dict[str, tuple[Embeddings, Index]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, collection: Collection, release: str | None = None, encode: Encode | None = None) -> Recommender:
        """The named release of a collection, or the current one. ``encode`` is needed for queries by picture."""
        return cls(collection, collection.release(release), encode)

    def recommend(
        self,
        like: str | Picture | Sequence[str | Picture],
        *,
        like_weights: Sequence[float] | None = None,
        where: str | Filter | None = None,
        k: int = 20,
        weights: Mapping[str, float] | None = None,
        exclude: Iterable[str] = (),
        echo: bool = False,
    ) -> Page:
        """Exactly min(k, matches) items, by descending score and then by item id.

        ``like`` is one or several items (an item_id, or a file_name that is unique) or pictures; several become one
        query, the mean of their vectors in each space by ``like_weights``. The items themselves are not among the results unless
        ``echo``; neither are those in ``exclude``, where unknown ones are ignored: what was seen may be gone by now.
        ``weights`` says how much each space counts; None takes the release's defaults. Each of several spaces proposes
        candidates, and every candidate is scored exactly in all of them.

        Raises QueryError on an unknown item and on a bad k, FilterError, and ConfigError on bad weights.
        """
        if k < 1:
            raise QueryError(f"k is {k}. Ask for at least 1 result")
        like = [like] if isinstance(like, str | bytes | np.ndarray) else like
        counted = check_weights(self.weights if weights is None else weights, self.spaces)
        shares = _like_weights(like, like_weights)
        liked = [self.catalog.row(entry) if isinstance(entry, str) else -1 for entry in like]
        hidden = set(self._known(exclude))
        if not echo:
            hidden |= {row for row in liked if row >= 0}
        rows, similarities = self._candidates(like, liked, shares, counted, where, hidden, k)
        scores = score(similarities, counted)
        order = np.lexsort((self.catalog.item_ids[rows], -scores))[:k]
        names = ["item_id", "file_name", *self.catalog.attributes]
        results = []
        for at, record in zip(order, self.catalog.records(rows[order], names), strict=True):
            similarity = {name: float(similarities[name][at]) for name in counted}
            results.append(Result(record.pop("item_id"), float(scores[at]), similarity, record))
        return Page(self.collection.name, self.release.id, results)

    def _candidates(
        self,
        like: Sequence[str | Picture],
        liked: Sequence[int],
        shares: np.ndarray,
        counted: Mapping[str, float],
        where: str | Filter | None,
        hidden: set[int],
        k: int,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(n,) rows that any space proposes, and their similarities (n,) in each."""
        selection = self.catalog.select(where, sorted(hidden)) if where else None
        wanted = k if len(counted) == 1 else _DEPTH * k + _LEAST
        if selection is None:  # a few hidden rows are dropped afterwards: cheaper than a selection of all others
            wanted += len(hidden)
        wanted = min(wanted, max(1, self.catalog.n_ready))
        queries, found = {}, []
        for name in counted:
            embeddings, index = self._space(name)
            queries[name] = combine(embeddings.space, self._vectors(name, like, liked), shares)
            found.append(index.search(queries[name], wanted, where=selection).rows[0])
        rows = np.unique(np.concatenate(found))
        rows = rows[(rows >= 0) & ~np.isin(rows, list(hidden))]
        similarities = {}
        for name, query in queries.items():
            embeddings, _ = self._space(name)
            distances = embeddings.space.precise(query, np.asarray(embeddings.vectors[rows]))
            similarities[name] = embeddings.space.similarity(distances)
        return rows, similarities

    def _vectors(self, name: str, like: Sequence[str | Picture], liked: Sequence[int]) -> np.ndarray:
        """(len(like), width) vectors: stored ones of items, fresh ones of pictures."""
        embeddings, _ = self._space(name)
        pictures = [entry for entry in like if not isinstance(entry, str)]
        if pictures and self._encode is None:
            raise ConfigError("This recommender cannot encode pictures. Open it with encode=…, or give item ids")
        fresh = iter(self._encode(name, pictures)) if pictures and self._encode else iter(())
        vectors = [embeddings.vectors[row] if row >= 0 else next(fresh) for row in liked]
        return embeddings.space.check(np.stack(vectors))

    def _space(self, name: str) -> tuple[Embeddings, Index]:
        with self._lock:
            if name not in self._open:
                artifact = self.collection.parent(self.release, f"embeddings:{name}", name)
                artifact.expect_parent("catalog", self.catalog.artifact)
                embeddings = Embeddings(artifact)
                index = open_index(self.collection.parent(self.release, f"index:{name}", name), embeddings)
                self._open[name] = embeddings, index
            return self._open[name]

    def _known(self, items: Iterable[str]) -> Iterable[int]:
        for item in items:
            try:
                yield self.catalog.row(item)
            except QueryError:
                continue


def _like_weights(like: Sequence[str | Picture], weights: Sequence[float] | None) -> np.ndarray:
    if not len(like):
        raise QueryError("like is empty. Give at least one item or picture")
    shares = np.ones(len(like)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(like),) or not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise QueryError(f"like_weights are {weights}. Give {len(like)} numbers: none below 0, one above it")
    return shares
