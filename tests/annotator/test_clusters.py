import json
import logging

import numpy as np
import pyarrow.compute as pc
import pytest

from nitari.annotator.clusters import ClustersAnnotator
from nitari.artifact import publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.space import Space
from nitari.steps.annotate import annotate


def blobs(collection: Collection, n: int, blob: list[int], seed: int = 0, identity: str = "a", zero: int | None = None):
    """Embeddings of n pictures, each near the axis that ``blob`` gives it."""
    vectors = np.eye(8)[blob] + np.random.default_rng(seed).normal(size=(n, 8)) * 0.05
    if zero is not None:
        vectors[zero] = 0
    work = collection.work("embeddings", {"seed": seed, "n": n})
    np.save(work / "vectors.npy", vectors.astype(np.float32))
    info = {"space": Space("place", "cosine", 8).to_dict(), "extractor": {}, "identity": identity}
    catalog = collection.latest("catalog")
    folder = collection.folder("embeddings", "place")
    return publish(work, folder, "embeddings", parents={"catalog": catalog}, counts={"vectors": n}, info=info)


@pytest.fixture
def collection(tmp_path, make_pictures, ingest_folder) -> Collection:
    """24 pictures in three blobs of 12, 8 and 4."""
    collection = Collection(tmp_path, "shoes")
    make_pictures(tmp_path / "pictures", 24, size=(20, 20))
    ingest_folder(collection, tmp_path / "pictures")
    blobs(collection, 24, BLOBS)
    return collection


BLOBS = [0] * 12 + [1] * 8 + [2] * 4


def clusters(collection: Collection, **settings) -> list[str]:
    annotate(collection, ClustersAnnotator(**{"space": "place", "k": 3, **settings}))
    return Catalog.newest(collection).ready("cluster").to_pylist()


def test_blobs_are_found_and_numbered_by_size(collection: Collection):
    assert clusters(collection) == [str(number) for number in BLOBS]
    catalog = Catalog.newest(collection)
    assert catalog.ready("cluster_id").to_pylist() == BLOBS
    assert pc.max(catalog.ready("cluster_distance")).as_py() < 0.2
    artifact = collection.latest("annotation", "clusters")
    assert "clusters-01.jpg" in artifact.manifest.files


def test_a_name_is_given_once_and_stays(collection: Collection):
    assert clusters(collection, names={1: "bags"})[12] == "bags"
    first = collection.latest("annotation", "clusters").id
    assert clusters(collection).count("bags") == 8
    assert collection.latest("annotation", "clusters").id == first
    assert clusters(collection, names={"0": "shoes"}).count("shoes") == 12
    assert clusters(collection, names={"1": None}).count("1") == 8
    selection = Catalog.newest(collection).select("cluster=shoes")
    assert selection is not None
    assert selection.rows.tolist() == list(range(12))


def test_new_pictures_go_to_the_centres_that_are_there(collection: Collection, tmp_path, make_pictures, ingest_folder):
    clusters(collection, names={2: "hats"})
    before = np.load(collection.latest("annotation", "clusters").path / "centroids.npy")
    make_pictures(tmp_path / "pictures" / "more", 20, seed=5, size=(20, 20))
    ingest_folder(collection, tmp_path / "pictures")
    n = Catalog(collection.latest("catalog")).n_ready
    blobs(collection, n, [2] * n, seed=1)
    assert clusters(collection) == ["hats"] * n
    assert np.array_equal(np.load(collection.latest("annotation", "clusters").path / "centroids.npy"), before)


def test_names_follow_the_pictures_when_centres_are_found_anew(collection: Collection, caplog):
    clusters(collection, names={0: "shoes", 2: "hats"})
    blobs(collection, 24, [3] * 12 + [4] * 8 + [4] * 4, seed=2, identity="another encoder")
    with caplog.at_level(logging.WARNING):
        found = clusters(collection, k=2)
    assert found == ["shoes"] * 12 + ["1"] * 12
    assert "'hats'" in caplog.text


def test_a_zero_vector_belongs_to_none(collection: Collection):
    blobs(collection, 24, BLOBS, seed=3, zero=5)
    found = clusters(collection)
    assert found[5] is None
    assert None not in found[:5] + found[6:]


def test_names_from_a_file(tmp_path):
    (tmp_path / "names.json").write_text(json.dumps({"1": "bags"}))
    assert ClustersAnnotator(names=str(tmp_path / "names.json")).spec["names"] == {"1": "bags"}
    with pytest.raises(ConfigError, match="cannot be read"):
        ClustersAnnotator(names=str(tmp_path / "nothing.json"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 1}, "annotator.k is 1"),
        ({"names": {40: "bags"}}, "names cluster '40'"),
        ({"names": {"x": "bags"}}, "names cluster 'x'"),
        ({"names": {3: " "}}, "an empty name"),
    ],
)
def test_bad_settings_are_refused(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        ClustersAnnotator(**settings)


def test_more_clusters_than_pictures_are_refused(collection: Collection):
    with pytest.raises(ConfigError, match="24 different vectors"):
        clusters(collection, k=30)
