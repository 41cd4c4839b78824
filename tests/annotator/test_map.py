import json

import numpy as np
import pytest

from nitari.annotator.map import MapAnnotator
from nitari.artifact import publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.space import Space
from nitari.steps.annotate import annotate

BLOBS = 5


def blobs(collection: Collection, n: int, metric: str = "cosine", dim: int = 32, twins: int = 0) -> None:
    """Embeddings of n pictures in five blobs, in turn; the first ``twins`` are one vector."""
    random = np.random.default_rng(0)
    vectors = np.eye(dim)[np.arange(n) % BLOBS] + random.normal(size=(n, dim)) * 0.08
    vectors[:twins] = vectors[0]
    space = Space("encoder", metric, dim, "uint8" if metric == "hamming" else "float32")
    if metric == "hamming":
        bits = np.random.default_rng(1).integers(0, 2, (BLOBS, dim))[np.arange(n) % BLOBS]
        vectors = np.packbits(bits ^ (random.random((n, dim)) < 0.05), axis=1)
    work = collection.work("embeddings", {"n": n, "metric": metric})
    np.save(work / "vectors.npy", vectors if metric == "hamming" else vectors.astype(np.float32))
    info = {"space": space.to_dict(), "extractor": {}, "identity": "a"}
    parents = {"catalog": collection.latest("catalog")}
    publish(
        work,
        collection.folder("embeddings", "encoder"),
        "embeddings",
        parents=parents,
        counts={"vectors": n},
        info=info,
    )


@pytest.fixture
def mapped(tmp_path, catalog_of):
    """``mapped(n, **how)`` -> (n, 2) places of n pictures, in a collection that is the same each time."""
    collection = Collection(tmp_path, "shoes")

    def run(n: int, metric: str = "cosine", twins: int = 0, **settings) -> np.ndarray:
        catalog_of(collection, n)
        blobs(collection, n, metric, twins=twins)
        annotate(collection, MapAnnotator(**{"sample": 60, **settings}))
        catalog = Catalog.newest(collection)
        return np.stack([catalog.ready(name).to_numpy() for name in ("map_x", "map_y")], axis=1)

    run.collection = collection
    return run


def together(at: np.ndarray) -> float:
    """Share of pictures whose nearest one on the map is of their blob."""
    apart = np.linalg.norm(at[:, None] - at[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((apart.argmin(axis=1) % BLOBS == np.arange(len(at)) % BLOBS).mean())


@pytest.mark.parametrize("metric", ["cosine", "l2", "normalized_l2", "hamming"])
def test_what_is_alike_lies_together(mapped, metric):
    at = mapped(400, metric)
    assert at.dtype == np.float32
    assert at.min() >= 0
    assert at.max() <= 1
    assert np.ptp(at, axis=0).min() > 0.8
    assert together(at) > 0.9


def test_nothing_hides_behind_another(mapped):
    at = mapped(400, twins=100)
    assert len(np.unique(at, axis=0)) == 400
    assert np.ptp(at[:100], axis=0).max() < 0.1
    assert len(np.unique(mapped(50, twins=50), axis=0)) == 50


def test_the_same_again(mapped):
    first = mapped(200)
    annotation = mapped.collection.latest("annotation", "map")
    mapped.collection.drop(annotation.path)
    annotate(mapped.collection, MapAnnotator(sample=60))
    assert np.array_equal(mapped(200), first)


def test_the_map_stays_when_pictures_come(mapped):
    first = mapped(200)
    more = mapped(300)
    assert np.array_equal(more[:200], first)
    assert together(more) > 0.9
    state = json.loads(mapped.collection.latest("annotation", "map").file("map.json").read_text())
    assert len(state["anchors"]) == 60


def test_it_is_laid_out_anew_when_it_has_too_few_anchors_or_other_settings(mapped):
    small = mapped(30, sample=100)
    large = mapped(400, sample=100)
    assert not np.allclose(large[:30], small)
    other = mapped(400, sample=100, seed=1)
    assert not np.allclose(other, large)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 12])
def test_a_few_pictures_have_places(mapped, n):
    at = mapped(n)
    assert np.isfinite(at).all()
    assert len(np.unique(at, axis=0)) == n


def test_too_small_a_sample_is_refused():
    with pytest.raises(ConfigError, match=r"annotator\.sample is 3"):
        MapAnnotator(sample=3)
