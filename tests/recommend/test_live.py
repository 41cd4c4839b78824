"""Recommendations of a release whose collection changed after it was built."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ConfigError, QueryError
from nitari.extractor.pixels import PixelsExtractor
from nitari.recommend.recommender import Recommender
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.thumbnails import decode

POST = {"center": True, "pca": 8, "whiten": 0.5}


@pytest.fixture(scope="module")
def shoes(tmp_path_factory: pytest.TempPathFactory, make_pictures: Callable[..., list[Path]]) -> Collection:
    root = tmp_path_factory.mktemp("live")
    make_pictures(root / "pictures", 16)
    collection = Collection(root, "shoes")
    listing = FolderSource(str(root / "pictures")).listing()
    ingest(collection, listing, source_name="main", workers=1)
    extract(collection, PixelsExtractor(), postprocess=POST, threads=1)
    build(collection, {"_target_": "nitari.index.exact.Exact"})
    return collection


def ids(recommender: Recommender, **asked) -> list[str]:
    page = recommender.recommend("picture-0000.jpg", **({"k": 50, "collapse": False} | asked))
    return [result.item_id for result in page.results]


def test_what_is_added_and_removed_is_seen_at_once(shoes: Collection, make_pictures):
    before = Recommender.open(shoes)
    all_of_them = ids(before)
    assert len(all_of_them) == 15
    assert before.fresh() is before
    pictures = shoes.path.parent / "pictures"
    for path in make_pictures(shoes.path.parent / "aside", 3, seed=7):
        path.rename(pictures / f"new-{path.name}")
    append(shoes, FolderSource(str(pictures)).listing(), source_name="main", workers=1)
    after = before.fresh()
    assert after is not before
    added = set(ids(after)) - set(all_of_them)
    assert len(added) == 3
    assert len(ids(before)) == 15

    one = added.pop()
    record = next(r for r in after.recommend("picture-0000.jpg", k=50).results if r.item_id == one)
    assert record.attributes["file_name"].startswith("new-")
    found = after.recommend(one, k=50, collapse=False)
    assert len(found.results) == 18
    assert found.results == Recommender.open(shoes).recommend(one, k=50, collapse=False).results
    named = record.attributes["file_name"]
    assert ids(after, where=f"file_name='{named}'") == [one]

    assert decode(after.thumbnail(one, 96)).shape[2] == 3
    assert after.thumbnail(one, 96) != after.thumbnail(all_of_them[0], 96)

    Changes(shoes).remove([one, all_of_them[0]])
    gone = after.fresh()
    assert set(ids(after)) - set(ids(gone)) == {one, all_of_them[0]}
    assert ids(gone, where=f"file_name='{named}'") == []
    with pytest.raises(QueryError, match="was removed"):
        gone.recommend(one)
    assert len(gone.recommend("picture-0000.jpg", history=[one], k=50, collapse=False).results) == 16
    Changes(shoes).restore([one])
    assert set(ids(gone.fresh())) - set(ids(gone)) == {one}

    first = gone.recommend("picture-0000.jpg", k=4, collapse=False)
    Changes(shoes).remove([first.results[0].item_id])
    rest = gone.fresh().recommend("picture-0000.jpg", k=4, collapse=False, after=first.after)
    assert not {r.item_id for r in rest.results} & {r.item_id for r in first.results}


def test_after_the_next_ingest_and_build_nothing_is_there_twice(shoes: Collection):
    pictures = FolderSource(str(shoes.path.parent / "pictures")).listing()
    ingest(shoes, pictures, source_name="main", workers=1)
    extract(shoes, PixelsExtractor(), postprocess=POST, threads=1)
    release = shoes.current
    build(shoes, {"_target_": "nitari.index.exact.Exact"})
    new, old = Recommender.open(shoes), Recommender.open(shoes, release)
    assert sorted(ids(new)) == sorted(ids(old))
    assert len(set(ids(new))) == len(ids(new))


def test_words_that_somebody_typed(shoes: Collection):
    with pytest.raises(ConfigError, match="no index of words"):
        Recommender.open(shoes).find("picture")
    build(shoes, {"_target_": "nitari.index.exact.Exact"}, text=["file_name"])
    recommender = Recommender.open(shoes)
    page = recommender.find("picture 0003", k=3)
    assert page.results[0].attributes["file_name"] == "picture-0003.jpg"
    everything = [r.item_id for r in recommender.find("picture", k=50).results]
    paged, after = [], None
    while True:
        page = recommender.find("picture", k=4, after=after)
        paged += [r.item_id for r in page.results]
        if (after := page.after) is None:
            break
    assert paged == everything
    assert not {r.item_id for r in recommender.find("picture", where="file_name!='picture-0003.jpg'", k=50).results} & {
        r.item_id for r in recommender.find("0003", k=1).results
    }


def test_what_was_appended_is_found_by_its_words(shoes: Collection, make_pictures):
    build(shoes, {"_target_": "nitari.index.exact.Exact"}, text=["file_name"])
    before = Recommender.open(shoes)
    assert before.find("sandal").results == []
    pictures = shoes.path.parent / "pictures"
    for path in make_pictures(shoes.path.parent / "later", 2, seed=9):
        path.rename(pictures / f"sandal-{path.name}")
    append(shoes, FolderSource(str(pictures)).listing(), source_name="main", workers=1)
    for recommender in (before.fresh(), Recommender.open(shoes)):
        found = recommender.find("sandal").results
        assert len(found) == 2
        alike = recommender.recommend(found[0].item_id, weights={"text": 1}, k=1).results
        assert alike[0].item_id == found[1].item_id
    assert before.find("sandal").results == []


def test_what_is_open_stays_open(shoes: Collection, make_pictures):
    """Noticing a change reads what changed, and nothing else again."""
    before = Recommender.open(shoes)
    everything = ids(before)
    sources = {name: before.source(name) for name in before.spaces}
    Changes(shoes).remove([everything[0]])
    gone = before.fresh()
    assert gone.catalog is before.catalog
    assert {name: gone.source(name) for name in gone.spaces} == sources
    assert ids(gone) == everything[1:]
    pictures = shoes.path.parent / "pictures"
    for path in make_pictures(shoes.path.parent / "later", 1, seed=9):
        path.rename(pictures / f"later-{path.name}")
    append(shoes, FolderSource(str(pictures)).listing(), source_name="main", workers=1)
    more = gone.fresh()
    assert more.catalog is not gone.catalog
    assert len(ids(more)) == len(everything)
    assert ids(more) == ids(Recommender.open(shoes))
    assert more.fresh() is more
    Changes(shoes).restore([everything[0]])
    assert more.fresh().catalog is more.catalog
