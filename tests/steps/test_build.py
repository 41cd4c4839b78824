import logging

import numpy as np
import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.index import open_index
from nitari.steps.build import build

HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "M": 8, "ef_construction": 40, "ef_search": 100, "threads": None}
EXACT = {"_target_": "nitari.index.exact.Exact"}
N = 400


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, N)
    space_of(collection, catalog, "encoder")
    space_of(collection, catalog, "place", metric="l2", seed=1)
    return collection


@pytest.mark.parametrize("spec", [HNSW, EXACT], ids=["hnsw", "exact"])
def test_a_release_pins_and_opens_everything(collection, spec):
    release = build(collection, spec)
    assert collection.release().id == release.id
    assert set(release.manifest.parents) == {
        "catalog",
        "thumbnails",
        "embeddings:encoder",
        "index:encoder",
        "embeddings:place",
        "index:place",
    }
    info = release.manifest.info
    assert info["spaces"] == list(info["calibration"]) == ["encoder", "place"]
    assert info["weights"] == {"encoder": 1.0, "place": 0.0}
    assert info["collapse"] == {"space": "encoder", "distance": pytest.approx(0.05, rel=0.1)}  # of 1, a right angle
    for name in ("encoder", "place"):
        artifact = collection.parent(release, f"index:{name}", name)
        recall = artifact.manifest.info["measured"]["ann_recall_at_10"]
        assert recall["low"] >= 0.99
        assert recall["queries"] == N
        embeddings = Embeddings(collection.parent(release, f"embeddings:{name}", name))
        result = open_index(artifact, embeddings).search(embeddings.vectors[:5], 3)
        assert (result.rows[:, 0] == np.arange(5)).all()


def test_what_is_there_is_used_again(collection):
    first = build(collection, HNSW)
    assert build(collection, {**HNSW, "threads": 1}).id == first.id
    assert len(collection.ids("index", "encoder")) == 1
    other = build(collection, {**HNSW, "M": 10}, spaces=["place"])
    assert other.id != first.id
    assert len(collection.ids("index", "encoder")) == 1
    assert len(collection.ids("index", "place")) == 2
    assert not list((collection.path / "work").iterdir())


def test_a_damaged_index_is_refused_and_built_again(collection):
    release = build(collection, HNSW)
    artifact = collection.parent(release, "index:encoder", "encoder")
    file = artifact.path / "graph.nmslib"
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    embeddings = Embeddings(collection.parent(release, "embeddings:encoder", "encoder"))
    with pytest.raises(DamagedArtifactError, match=r"graph\.nmslib"):
        open_index(artifact, embeddings)
    again = build(collection, HNSW)
    renewed = collection.parent(again, "index:encoder", "encoder")
    assert renewed.id != artifact.id
    open_index(renewed, embeddings)


def test_an_index_of_other_embeddings_is_refused(collection, space_of):
    release = build(collection, EXACT)
    artifact = collection.parent(release, "index:encoder", "encoder")
    newer = Embeddings(space_of(collection, collection.latest("catalog"), "encoder", seed=9))
    with pytest.raises(ArtifactError, match="was made from embeddings"):
        open_index(artifact, newer)


def test_stale_spaces_are_refused_by_name(collection, catalog_of, space_of, caplog):
    catalog = catalog_of(collection, N + 1)
    with pytest.raises(ArtifactError, match="Space 'place' was extracted from catalog"):
        build(collection, EXACT)
    space_of(collection, catalog, "encoder")
    with pytest.raises(ArtifactError, match=r"nitari extract collection=shoes .*extractor=place"):
        build(collection, EXACT, spaces=["place", "encoder"])
    with caplog.at_level(logging.WARNING):
        release = build(collection, EXACT)
    assert release.manifest.info["spaces"] == ["encoder"]
    assert "Space 'place'" in caplog.text


def test_without_switch_the_current_release_stays(collection):
    first = build(collection, EXACT)
    second = build(collection, EXACT, weights={"place": 2}, switch=False)
    assert second.manifest.info["weights"] == {"encoder": 0.0, "place": 2.0}
    assert collection.current == first.id


def test_what_a_copy_is_can_be_said(collection):
    release = build(collection, EXACT, collapse={"space": "place", "distance": 0.5})
    assert release.manifest.info["collapse"] == {"space": "place", "distance": 0.5}
    assert build(collection, EXACT, collapse={"space": "place"}).manifest.info["collapse"]["distance"] > 0


def test_a_graph_that_cannot_reach_the_target_says_so(collection, caplog, monkeypatch):
    monkeypatch.setattr("nitari.index.hnsw.Hnsw.sweep", ("ef_search", (1,)))
    monkeypatch.setattr("nitari.index.tuning.ann_recall", lambda distances, truth: np.full(len(truth), 0.5))
    with caplog.at_level(logging.WARNING):
        build(collection, HNSW, spaces=["encoder"])
    assert "reaches ann_recall_at_10 0.5000, not 0.99" in caplog.text


def test_what_is_scanned_instead_is_said(collection, caplog):
    with caplog.at_level(logging.INFO):
        build(collection, HNSW, spaces=["encoder"], exact_below=1000)
    assert "Fewer than exact_below=1000 vectors are scanned, with index=exact: encoder" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        build(collection, EXACT, spaces=["encoder"], exact_below=1000)
    assert "exact_below" not in caplog.text


def kinds(collection, release):
    found = {}
    for name in release.manifest.info["spaces"]:
        found[name] = collection.parent(release, f"index:{name}", name).manifest.info["index"].rpartition(".")[2]
    return found


def test_each_space_has_an_index_that_fits(collection, space_of):
    catalog = collection.latest("catalog")
    space_of(collection, catalog, "signature", metric="normalized_l2")
    assert kinds(collection, build(collection, HNSW)) == {"encoder": "Hnsw", "place": "Hnsw", "signature": "Exact"}
    release = build(collection, HNSW, indexes={"place": EXACT})
    assert kinds(collection, release) == {"encoder": "Hnsw", "place": "Exact", "signature": "Exact"}
    assert set(kinds(collection, build(collection, HNSW, exact_below=N + 1)).values()) == {"Exact"}
    with pytest.raises(ConfigError, match="Build it with: index=exact"):
        build(collection, EXACT, indexes={"signature": HNSW})
    with pytest.raises(ConfigError, match="indexes names the space 'colour'"):
        build(collection, EXACT, indexes={"colour": HNSW})


def test_facets_are_laid_out(tmp_path, catalog_of, space_of, monkeypatch):
    monkeypatch.setattr("nitari.index.facets._LEAST", 100)
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, N), "encoder")
    plain = build(collection, EXACT)
    release = build(collection, EXACT, facets=["category"])
    assert release.id != plain.id
    artifact = collection.parent(release, "index:encoder", "encoder")
    assert [facet["column"] for facet in artifact.manifest.info["parameters"]["facets"]] == ["category"]
    index = open_index(artifact, Embeddings(collection.parent(release, "embeddings:encoder", "encoder")))
    where = Catalog(collection.parent(release, "catalog")).select("category=c1")
    assert index.plan(3, where)[0].part.region.name == "category=c1"
    assert (index.search(index._whole.scan.vectors[:2], 3, where=where).rows % 4 == 1).all()
    with pytest.raises(ConfigError, match=r"facets names 'colour'\. The catalog has: .*category"):
        build(collection, EXACT, facets=["colour"])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_smallest_collections(tmp_path, catalog_of, space_of, n):
    collection = Collection(tmp_path, "few")
    space_of(collection, catalog_of(collection, n), "encoder")
    release = build(collection, HNSW)
    assert Catalog(collection.parent(release, "catalog")).n_ready == n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0}, "target is 0"),
        ({"k": 0}, "k is 0"),
        ({"weights": {"colour": 1}}, "names the space 'colour'"),
        ({"weights": {"place": -1}}, "None may be below 0"),
        ({"weights": {"place": 0}}, "one must be above it"),
        ({"collapse": {"space": "colour"}}, "collapse.space is 'colour'"),
        ({"collapse": {"distance": -1}}, "collapse.distance is -1"),
        ({"collapse": {"far": 1}}, "Give space and distance"),
    ],
)
def test_bad_settings_are_refused(collection, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(collection, EXACT, **arguments)
    with pytest.raises(ConfigError, match="is not an index of nitari"):
        build(collection, {"_target_": "os.path.join"})
