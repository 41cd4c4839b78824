import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.extractor.pixels import PixelsExtractor
from nitari.recommend.recommender import Recommender
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.gc import gc
from nitari.steps.ingest import ingest
from nitari.steps.release import rollback
from nitari.steps.verify import verify

EXACT = {"_target_": "nitari.index.exact.Exact"}
POST = {"center": True, "pca": 8, "whiten": 0.5}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of) -> Collection:
    """Five releases of five generations of vectors."""
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, 40)
    for seed in range(5):
        space_of(collection, catalog, "encoder", seed=seed)
        build(collection, EXACT, text=["file_name"])
    return collection


def used(path: Path) -> int:
    """Bytes of a folder's files, each counted once whatever its names."""
    stats = {(stat.st_dev, stat.st_ino): stat.st_size for p in path.rglob("*") if p.is_file() for stat in [p.stat()]}
    return sum(stats.values())


def test_kept_releases_stay_whole_and_the_rest_goes(collection: Collection):
    ids = collection.ids("release")
    freed = gc(collection, keep=2)
    assert freed.releases == collection.ids("release") == ids[-2:]
    assert len(collection.ids("embeddings", "encoder")) == len(collection.ids("index", "encoder")) == 2
    assert {entry["kind"] for entry in freed.freed} == {"artifact"}
    assert len(freed.freed) == 9
    for release in ids[-2:]:
        assert verify(collection, release, full=True).problems == []
    assert not [path for path in collection.path.rglob("*") if ids[0] in path.name]
    assert gc(collection, keep=2).freed == []
    assert len(Recommender.open(collection).recommend("0.jpg", k=5).results) == 5


@pytest.mark.parametrize("after", [1, 4, 7])
def test_killed_on_the_way_every_release_that_is_left_is_whole(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, after: int
):
    planned = gc(collection, keep=2, dry=True)
    dropped: list[Path] = []
    drop = collection.drop

    def killed(path: Path) -> None:
        if len(dropped) == after:
            raise KeyboardInterrupt
        dropped.append(path)
        drop(path)

    with monkeypatch.context() as patch:
        patch.setattr(collection, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            gc(collection, keep=2)
    assert all(not verify(collection, release).problems for release in collection.ids("release"))
    again = gc(collection, keep=2)
    assert len(again.freed) == len(planned.freed) - after
    assert again.releases == planned.releases


def test_what_was_served_last_is_kept_to_go_back_to(collection: Collection):
    ids = collection.ids("release")
    rollback(collection, ids[1])
    freed = gc(collection, keep=1)
    assert freed.releases == [ids[1], ids[4]]
    rollback(collection, ids[4])
    gc(collection, keep=1)
    assert collection.ids("release") == [ids[4]]


def test_dry_says_what_would_go(collection: Collection):
    before = sorted(collection.path.rglob("*"))
    planned = gc(collection, keep=1, dry=True)
    assert [path for path in sorted(collection.path.rglob("*")) if path.suffix != ".lock"] == [
        path for path in before if path.suffix != ".lock"
    ]
    used_before = used(collection.path)
    assert gc(collection, keep=1) == planned
    assert 0 <= used_before - used(collection.path) - planned.bytes < 10_000  # beside them, records of checksums


def test_a_file_that_something_kept_shares_counts_for_nothing(collection: Collection):
    old = collection.folder("release") / collection.ids("release")[0]
    os.link(collection.release().path / "manifest.json", old / "shared")
    with_link = {entry["path"]: entry["bytes"] for entry in gc(collection, keep=1, dry=True).freed}
    assert with_link[f"releases/{old.name}"] == (old / "manifest.json").stat().st_size


def test_what_the_next_build_is_made_of_stays(collection: Collection, catalog_of, space_of):
    catalog = catalog_of(collection, 41)
    fresh = space_of(collection, catalog, "encoder", seed=9)
    gc(collection, keep=1)
    assert collection.latest("catalog").id == catalog.id
    assert collection.latest("embeddings", "encoder").id == fresh.id
    assert verify(collection).problems == []
    assert verify(collection, build(collection, EXACT).id).problems == []


def test_work_that_was_given_up_goes(collection: Collection):
    old, new = collection.work("extract", {"a": 1}), collection.work("extract", {"a": 2})
    left = collection.work("drop", {"drop": "x"})
    long_ago = time.time() - 8 * 86400
    cached = collection.path / "cache" / "pictures-a.npy"
    cached.parent.mkdir()
    for path in (old / "part", cached):
        path.write_bytes(b"12345")
    for path in (old / "part", old, cached):
        os.utime(path, (long_ago, long_ago))
    freed = gc(collection)
    assert [entry["bytes"] for entry in freed.freed if entry["kind"] == "cache"] == [5]
    assert [Path(entry["path"]).name for entry in freed.freed if entry["kind"] == "work"] == [left.name, old.name]
    assert not cached.exists()
    assert new.exists()
    assert not old.exists()
    gc(collection, idle=0)
    assert not new.exists()


def test_nothing_is_freed_while_a_job_is_at_work(collection: Collection):
    for job in ("build", "extract-encoder", "release", "annotate-shape"):
        with collection.lock(job), pytest.raises(ArtifactError, match=f"Another '{job}' is at work"):
            gc(collection)


def test_a_kept_release_that_cannot_be_read_stops_it(collection: Collection):
    (collection.release().path / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot be read"):
        gc(collection)
    assert len(collection.ids("release")) == 5


@pytest.mark.parametrize(("settings", "message"), [({"keep": 0}, "keep is 0"), ({"idle": -1.0}, "idle is -1")])
def test_bad_settings_are_refused(collection: Collection, settings, message):
    with pytest.raises(ConfigError, match=message):
        gc(collection, **settings)


@pytest.fixture
def shop(tmp_path: Path, make_pictures: Callable[..., list[Path]]) -> Collection:
    """Pictures, a release, and two that were appended."""
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path, "shop")
    renewed(collection)
    for path in make_pictures(tmp_path / "aside", 2, seed=7):
        path.rename(tmp_path / "pictures" / f"new-{path.name}")
    append(collection, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    return collection


def renewed(collection: Collection) -> str:
    listing = FolderSource(str(collection.path.parent / "pictures")).listing()
    ingest(collection, listing, source_name="main", workers=1)
    extract(collection, PixelsExtractor(), postprocess=POST, threads=1)
    return build(collection, EXACT).id


def shown(collection: Collection, release: str | None = None) -> int:
    return len(Recommender.open(collection, release).recommend("picture-0000.jpg", k=50, collapse=False).results)


def test_an_addition_stays_as_long_as_a_kept_release_shows_it(shop: Collection):
    first = shop.current
    assert shown(shop) == 13
    gc(shop, keep=1)
    second = renewed(shop)
    gc(shop, keep=2)
    assert len(Changes(shop).ids()) == 1
    assert shown(shop, first) == shown(shop, second) == 13
    third = build(shop, EXACT, weights={"pixels": 2}).id
    freed = gc(shop, keep=1)
    assert freed.releases == [third]
    assert [entry["kind"] for entry in freed.freed].count("addition") == 1
    assert Changes(shop).ids() == []
    assert shown(shop) == 13


def test_additions_are_verified_with_the_release_they_are_served_with(shop: Collection):
    assert verify(shop, full=True).problems == []
    addition = Changes(shop).addition(Changes(shop).ids()[0])
    (addition.latest("embeddings", "pixels").path / "vectors.npy").write_bytes(b"x")
    (problem,) = verify(shop).problems
    assert "'vectors.npy' has 1 bytes" in problem
    assert problem.endswith(f"Remove '{addition.path}', and append its pictures again")
    (addition.latest("catalog").path / "manifest.json").unlink()
    assert "There is no catalog" in verify(shop).problems[0]


def test_an_addition_that_no_catalog_holds_stays(shop: Collection, tmp_path: Path):
    for path in (tmp_path / "pictures").glob("new-*"):
        path.unlink()
    renewed(shop)
    build(shop, EXACT, weights={"pixels": 2})
    gc(shop, keep=1)
    assert len(Changes(shop).ids()) == 1
