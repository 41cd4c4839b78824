"""Releases over Milvus: recommending, the alias that follows the switch, and what gc takes from the server."""

import numpy as np
import pytest

from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.index import open_index, remote
from nitari.index.remote import Table
from nitari.recommend.recommender import Recommender
from nitari.steps.build import build
from nitari.steps.gc import gc
from nitari.steps.release import promote, rollback
from nitari.steps.servers import forget
from nitari.steps.transfer import pull, push

STORE = "memory://pulled"
EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path / "root", "shop")
    catalog = catalog_of(collection, 900)
    space_of(collection, catalog, "form", dim=16)
    space_of(collection, catalog, "place", dim=8, metric="l2", seed=1)
    return collection


@pytest.fixture
def spec(uri):
    return {
        "_target_": "nitari.index.milvus.Milvus",
        "uri": uri,
        "collection": None,
        "scan_below": 0,
        "filter_below": 1.0,
    }


def held(collection, release, space="form"):
    """The name of a release's collection on the server."""
    return collection.pinned(release, f"index:{space}").manifest.info["parameters"]["name"]


def named(collection, release, space="form"):
    """What the alias of a space names now."""
    index = collection.pinned(release, f"index:{space}")
    table = open_index(index, Embeddings(collection.parent(index, "embeddings", space)))._table
    return table, table._client.describe_alias(f"nitari_shop_{space}")["collection_name"]


def test_recommends_as_over_exact_search(collection, spec):
    over, exact = build(collection, spec, facets=["category"]), build(collection, EXACT, switch=False)
    index = collection.pinned(over, "index:form")
    assert index.manifest.info["measured"]["ann_recall_at_10"]["value"] >= 0.99
    one, other = (Recommender.open(collection, release.id) for release in (over, exact))
    for i, where in enumerate((None, "category=c1", "not category in (c0,c2)", "category!=c3 and width is null")):
        item = f"{i * 7:016x}"
        for weights in ({"form": 1.0}, {"form": 1.0, "place": 0.5}):
            found, truth = (
                r.recommend([item], where=where, weights=weights, k=20, exclude=[f"{90:016x}"]) for r in (one, other)
            )
            shared = {result.item_id for result in found.results} & {result.item_id for result in truth.results}
            assert len(found.results) == 20
            assert len(shared) >= 19
    assert one.source("form").index.plans["filtered"]
    for space in ("form", "place"):
        table, name = named(collection, over, space)
        assert name == held(collection, over, space) == table.name
        table.drop()


def test_the_alias_follows_the_switch_and_gc_the_deleted(collection, spec):
    first = build(collection, spec, spaces=["form"])
    assert held(collection, build(collection, spec, spaces=["form"])) == held(collection, first)  # used again
    second = build(collection, {**spec, "M": 8}, spaces=["form"], switch=False)
    assert named(collection, first)[1] == held(collection, first)
    assert promote(collection, queries=20)["switched"]
    assert named(collection, first)[1] == held(collection, second)
    rollback(collection)
    assert named(collection, first)[1] == held(collection, first)
    rollback(collection, second.id)
    third = build(collection, {**spec, "M": 12}, spaces=["form"])
    table, name = named(collection, third)
    assert name == held(collection, third)
    everything = {held(collection, one): one.id for one in (first, second, third)}
    gc(collection, keep=1)
    left = set(table._client.list_collections())
    assert {everything[name] for name in left & set(everything)} == set(collection.ids("release"))
    for one in left & set(everything):
        Table(table.uri, one, table.space, []).drop()


def test_a_server_without_its_collection_stops_the_switch(collection, spec):
    first = build(collection, spec, spaces=["form"])
    second = build(collection, {**spec, "M": 8}, spaces=["form"], switch=False)
    table, _ = named(collection, first)
    Table(table.uri, held(collection, second), table.space, []).drop()
    with pytest.raises(ArtifactError, match=held(collection, second)):
        rollback(collection, second.id)
    assert collection.current == first.id
    renewed = build(collection, {**spec, "M": 8}, spaces=["form"])
    assert held(collection, renewed) != held(collection, second)
    for release in (first, renewed):
        Table(table.uri, held(collection, release), table.space, []).drop()


def test_what_was_pulled_stays_on_the_server_for_those_who_built_it(collection, spec, tmp_path):
    first = build(collection, spec, spaces=["form"])
    push(collection, STORE)
    other = Collection(tmp_path / "elsewhere", "shop")
    pull(other, STORE)
    second = build(collection, {**spec, "M": 8}, spaces=["form"])
    push(collection, STORE)
    pull(other, STORE)
    gc(other, keep=1)
    for path in [path for path in other.folder("index", "form").iterdir() if path.is_dir()]:
        forget(other, path)
    table, _ = named(collection, second)
    assert {held(collection, first), held(collection, second)} <= set(table._client.list_collections())
    missing = held(collection, second)
    table.drop()
    pushed = other.release().id
    with pytest.raises(ArtifactError, match=missing):
        pull(Collection(tmp_path / "third", "shop"), STORE)
    assert pushed == second.id
    assert Collection(tmp_path / "third", "shop").current is None
    Table(table.uri, held(collection, first), table.space, []).drop()


def test_purge_ends_where_the_server_keeps_what_is_to_go(collection, spec, monkeypatch):
    build(collection, spec, spaces=["form"])
    index = collection.latest("index", "form")

    def away(*_: object) -> None:
        raise ArtifactError("No Milvus answers")

    monkeypatch.setattr(Table, "drop", away)
    name = index.manifest.info["parameters"]["name"]
    with pytest.raises(ArtifactError, match=rf"'{name}' of index '{index.id}' is left on its server: No Milvus"):
        forget(collection, index.path)
    monkeypatch.undo()
    forget(collection, index.path)
    with pytest.raises(ArtifactError, match=name):
        open_index(index, Embeddings(collection.parent(index, "embeddings", "form")))


def test_a_failed_build_leaves_nothing_on_the_server(collection, spec, monkeypatch):
    build(collection, {**spec, "M": 4}, spaces=["form"])
    table = open_index(collection.latest("index", "form"), Embeddings(collection.latest("embeddings", "form")))._table
    before = set(table._client.list_collections())

    def fails(*_: object, **__: object) -> None:
        raise ArtifactError("disk full")

    monkeypatch.setattr("nitari.steps.indexes.publish", fails)
    with pytest.raises(ArtifactError, match="disk full"):
        build(collection, {**spec, "M": 6}, spaces=["form"])
    assert set(table._client.list_collections()) == before
    table.drop()


def test_nothing_published_holds_the_token(collection, spec, monkeypatch):
    monkeypatch.setenv(remote.TOKEN, "root:Milvus")
    release = build(collection, spec, spaces=["form"])
    for path in collection.path.rglob("*.json"):
        assert "root:Milvus" not in path.read_text()
    named(collection, release)[0].drop()


def test_a_milvus_lite_in_the_artifact_is_copied_and_verified(collection, spec, monkeypatch):
    monkeypatch.delenv(remote.URI, raising=False)
    release = build(collection, {**spec, "uri": None, "scan_below": 500}, spaces=["form"])
    artifact = collection.pinned(release, "index:form")
    assert any(name.startswith("milvus.db/") for name in artifact.manifest.files)
    embeddings = Embeddings(collection.parent(release, "embeddings:form", "form"))
    index = open_index(artifact, embeddings)
    found = index.search(np.asarray(embeddings.vectors[:30]), 5)
    assert np.array_equal(found.rows[:, 0], np.arange(30))
    assert index.plans["server"] == 30
    index.close()
    artifact.verify()
    damaged = artifact.path / next(name for name in artifact.manifest.files if name.endswith(".parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DamagedArtifactError, match="parquet"):
        open_index(artifact, embeddings)
