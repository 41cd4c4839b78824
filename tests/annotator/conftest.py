from collections.abc import Callable

import numpy as np
import pytest

from nitari.annotator import Neighbours, Whole
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.index.exact import Exact


@pytest.fixture
def whole_of(tmp_path) -> Callable[..., Whole]:
    """``whole_of(collection, space)``: what a CollectionAnnotator is given, with grey pictures."""

    def make(collection: Collection, space: str | None = None) -> Whole:
        catalog = Catalog(collection.latest("catalog"))
        embeddings = {} if space is None else {space: Embeddings(collection.latest("embeddings", space))}

        def search(name: str, queries: np.ndarray, k: int) -> Neighbours:
            index = Exact(embeddings[name].space)
            index.build(embeddings[name].vectors)
            return Neighbours(*index.search(queries, k))

        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        grey = np.full((8, 8, 3), 128, np.uint8)
        none = np.full(catalog.n_ready, -1)
        return Whole(
            catalog, embeddings, search, lambda rows, side: [grey] * len(rows), None, none, out, lambda *_: None
        )

    return make
