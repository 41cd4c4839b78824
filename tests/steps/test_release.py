import json
import logging

import numpy as np
import pytest

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.steps.build import build
from nitari.steps.release import Thresholds, promote, releases, rollback

EXACT = {"_target_": "nitari.index.exact.Exact"}
N = 60


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    space_of(collection, catalog_of(collection, N), "encoder")
    build(collection, EXACT)
    return collection


@pytest.fixture
def newer(collection, space_of):
    """A release of other vectors, not switched to."""
    space_of(collection, collection.latest("catalog"), "encoder", seed=3)
    return build(collection, EXACT, switch=False)


def test_a_build_is_checked_compared_and_switched_to(collection, newer):
    before = collection.current
    report = promote(collection, queries=30)
    assert report["switched"]
    assert report["refused"] == []
    assert (report["release"], report["against"], collection.current) == (newer.id, before, newer.id)
    asked = report["smoke"]
    assert (asked["queries"], asked["release"]["answered"], asked["against"]["answered"]) == (30, 1.0, 1.0)
    assert asked["ann_recall_at_10"]["encoder"]["value"] == 1.0
    assert 0 < asked["overlap"] < 0.5  # chance alone gives 10 of 59
    assert json.loads(collection.check_file(newer.id).read_text()) == report
    assert collection.switches()[-1]["by"] == "release"


def test_the_same_seed_asks_the_same(collection, newer):
    first = promote(collection, newer.id, thresholds=Thresholds(overlap=1))["smoke"]
    second = promote(collection, newer.id, thresholds=Thresholds(overlap=1))["smoke"]
    assert first["overlap"] == second["overlap"]
    assert first["ann_recall_at_10"] == second["ann_recall_at_10"]


def test_of_the_same_vectors_all_results_are_the_same(collection):
    other = build(collection, EXACT, weights={"encoder": 2}, switch=False)
    assert promote(collection, other.id)["smoke"]["overlap"] == 1.0


def test_what_misses_a_threshold_is_refused_and_can_be_forced(collection, newer):
    before = collection.current
    report = promote(collection, thresholds=Thresholds(overlap=0.9))
    assert not report["switched"]
    assert "below overlap=0.9" in report["refused"][0]
    assert collection.current == before
    assert json.loads(collection.check_file(newer.id).read_text())["refused"] == report["refused"]
    assert promote(collection, thresholds=Thresholds(overlap=0.9), force=True)["switched"]
    assert collection.current == newer.id


def test_an_index_that_finds_little_is_refused(collection, newer, monkeypatch):
    monkeypatch.setattr("nitari.steps.smoke.ann_recall", lambda found, truth: np.full(len(found), 0.5))
    report = promote(collection)
    assert report["refused"] == ["ann_recall_at_10 of space 'encoder' is 0.5000, below recall=0.95"]


def test_questions_that_are_not_answered_count(collection, newer, monkeypatch):
    from nitari.recommend.recommender import Recommender

    asked = Recommender.recommend

    def recommend(self, item, **settings):
        if self.release.id == newer.id and int(item, 16) % 2:
            raise DamagedArtifactError("half of it is gone")
        return asked(self, item, **settings)

    monkeypatch.setattr(Recommender, "recommend", recommend)
    report = promote(collection, queries=N)
    assert report["refused"] == ["50.00% of the queries were answered, below answered=0.99, first: half of it is gone"]
    assert not report["switched"]


def test_a_build_that_switches_meanwhile_is_not_undone(collection, newer, monkeypatch):
    monkeypatch.setattr(
        "nitari.steps.release.missed", lambda *_: build(collection, EXACT, weights={"encoder": 5}) and []
    )
    with pytest.raises(ArtifactError, match="became the current one while"):
        promote(collection)
    assert collection.switches()[-1]["by"] == "build"


def test_nothing_damaged_is_switched_to_by_force_either(collection, newer):
    file = collection.pinned(newer, "embeddings:encoder").path / "vectors.npy"
    file.write_bytes(file.read_bytes()[:-1])
    before = collection.current
    with pytest.raises(DamagedArtifactError, match=r"vectors\.npy"):
        promote(collection, force=True)
    assert collection.current == before


def test_the_first_release_has_nothing_beside_it(collection):
    (collection.path / "current").unlink()
    report = promote(collection)
    assert (report["against"], report["smoke"]["overlap"], report["switched"]) == (None, None, True)
    again = promote(collection)
    assert not again["switched"]
    assert again["current"] == again["release"]


def test_a_broken_current_release_is_no_obstacle(collection, newer, caplog):
    (collection.release().path / "manifest.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert promote(collection)["switched"]
    assert "cannot be read" in caplog.text


def test_removed_items_are_not_asked_with(collection, newer):
    Changes(collection).remove([f"{i:016x}" for i in range(N // 2)])
    report = promote(collection, queries=N)
    assert report["smoke"]["queries"] == N // 2
    assert report["switched"]


def test_catalogs_without_a_common_item(collection, newer, monkeypatch):
    ready = {newer.id: np.array([b"0" * 15 + b"1"], "S16")}
    monkeypatch.setattr("nitari.steps.smoke._ready", lambda _, release: ready.get(release.id, np.empty(0, "S16")))
    report = promote(collection)
    assert (report["smoke"]["queries"], report["smoke"]["overlap"]) == (1, None)


def test_back_and_further_back(collection, space_of):
    first = collection.current
    second = build(collection, EXACT, weights={"encoder": 2}).id
    third = build(collection, EXACT, weights={"encoder": 3}).id
    assert [one["id"] for one in releases(collection) if one["previous"]] == [second]
    assert rollback(collection) | {"verified": 0} == {
        "collection": "shoes",
        "release": second,
        "before": third,
        "verified": 0,
        "switched": True,
    }
    assert rollback(collection)["release"] == first == collection.current
    with pytest.raises(ArtifactError, match="no release to go back to"):
        rollback(collection)
    assert rollback(collection, third)["release"] == third == collection.current
    assert not rollback(collection, third)["switched"]


def test_rollback_passes_over_what_is_gone_and_refuses_what_is_damaged(collection):
    first = collection.current
    second = build(collection, EXACT, weights={"encoder": 2})
    third = build(collection, EXACT, weights={"encoder": 3}).id
    collection.drop(second.path)
    (collection.pinned(collection.release(first), "embeddings:encoder").path / "vectors.npy").unlink()
    with pytest.raises(DamagedArtifactError, match=r"vectors\.npy"):
        rollback(collection)
    assert collection.current == third


def test_the_list(collection, newer):
    promote(collection, thresholds=Thresholds(overlap=1))
    found = releases(collection)
    assert [one["id"] for one in found] == sorted(collection.ids("release"), reverse=True)
    assert [one["current"] for one in found] == [False, True]
    assert found[0]["items"] == N
    assert found[0]["spaces"] == ["encoder"]
    assert found[0]["bytes"] > N * 64
    assert found[0]["check"]["refused"]
    assert found[1]["switched"] is not None
    assert found[1]["check"] is None
    (newer.path / "manifest.json").write_text("{")
    assert "cannot be read" in releases(collection)[0]["error"]


@pytest.mark.parametrize("settings", [{"recall": 1.5}, {"answered": -1}, {"overlap": 2}])
def test_thresholds_are_shares(settings):
    with pytest.raises(ConfigError, match="Give a share"):
        Thresholds(**settings)


def test_counts_are_counts(collection):
    with pytest.raises(ConfigError, match="queries is 0"):
        promote(collection, queries=0)
