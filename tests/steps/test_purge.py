from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nitari.annotator.map import MapAnnotator
from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import ArtifactError
from nitari.extractor.pixels import PixelsExtractor
from nitari.extractor.random import RandomExtractor
from nitari.recommend.recommender import Recommender
from nitari.source.folder import FolderSource
from nitari.steps.annotate import annotate
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.steps.purge import purge
from nitari.steps.status import stale
from nitari.thumbnails import Thumbnails

POST = {"center": True, "pca": 8, "whiten": 0.5}


@pytest.fixture
def shoes(tmp_path: Path, make_pictures: Callable[..., list[Path]]) -> Collection:
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path, "shoes")
    ingest(collection, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    extract(collection, PixelsExtractor(), postprocess=POST, threads=1)
    build(collection, {"_target_": "nitari.index.exact.Exact"}, text=["file_name"])
    for path in make_pictures(tmp_path / "aside", 2, seed=7):
        path.rename(tmp_path / "pictures" / f"new-{path.name}")
    append(collection, FolderSource(str(tmp_path / "pictures")).listing(), source_name="main", workers=1)
    return collection


def held(collection: Collection, needle: bytes) -> list[str]:
    return [str(path) for path in collection.path.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_what_compares_vectors_is_purged_again_and_again(shoes: Collection):
    """An annotation of a space goes on with the space as it was made without the removed items."""
    names = Catalog(shoes.latest("catalog")).item_ids[:12].astype(str).tolist()
    annotate(shoes, MapAnnotator(space="pixels"), threads=1)
    build(shoes, {"_target_": "nitari.index.exact.Exact"})
    for item in names[2:5]:
        Changes(shoes).remove([item])
        assert purge(shoes).items == 1
        annotation = shoes.latest("annotation", "map")
        shoes.parent(annotation, "embeddings:pixels", "pixels")
        assert not any(entry.what.startswith("annotation") for entry in stale(shoes))
    assert Catalog(shoes.latest("catalog")).n_ready == 9


def test_stale_spaces_that_are_only_compared_with_stop_no_purge_and_the_others_are_named_together(shoes: Collection):
    extract(shoes, RandomExtractor(), threads=1)  # nobody serves it
    for name in ("one", "two"):
        extract(shoes, PixelsExtractor(name), threads=1)
    ingest(shoes, FolderSource(str(shoes.path.parent / "pictures")).listing(), source_name="main", workers=1)
    extract(shoes, PixelsExtractor(), postprocess=POST, threads=1)
    build(shoes, {"_target_": "nitari.index.exact.Exact"})
    item = Catalog(shoes.latest("catalog")).item_ids[3].decode()
    Changes(shoes).remove([item])
    with pytest.raises(ArtifactError) as caught:
        purge(shoes)
    assert [line.split("'")[1] for line in str(caught.value).splitlines()] == ["embeddings/one", "embeddings/two"]
    for name in ("one", "two"):
        extract(shoes, PixelsExtractor(name), threads=1)
    assert purge(shoes).items == 1
    assert "random" not in shoes.spaces()


def test_nothing_of_a_purged_item_is_left(shoes: Collection):
    recommender = Recommender.open(shoes)
    ids = recommender.catalog.item_ids[: recommender.catalog.n_ready]
    gone, added = ids[3], ids[-1]
    before = Thumbnails(shoes.latest("thumbnails"))
    vectors = Embeddings(shoes.latest("embeddings", "pixels")).vectors
    picture, vector = before.read_bytes([3], 96)[0], vectors[3].tobytes()
    kept = {bytes(ids[row]): (before.read_bytes([row], 96)[0], vectors[row].copy()) for row in range(12) if row != 3}
    late = Thumbnails(Changes(shoes).addition(Changes(shoes).ids()[0]).latest("thumbnails")).read_bytes([1], 96)[0]
    assert all(held(shoes, needle) for needle in (picture, vector, late))
    expected = [r.item_id for r in recommender.recommend(ids[0].decode(), k=50, collapse=False).results]

    Changes(shoes).remove([gone.decode(), added.decode()])
    done = purge(shoes)
    assert done.items == 2
    assert not any(held(shoes, needle) for needle in (picture, vector, late))

    catalog = Catalog(shoes.latest("catalog"))
    assert catalog.n_ready == 11
    thumbnails, vectors = (
        Thumbnails(shoes.latest("thumbnails")),
        Embeddings(shoes.latest("embeddings", "pixels")).vectors,
    )
    for row, item in enumerate(catalog.item_ids[:11]):
        assert thumbnails.read_bytes([row], 96)[0] == kept[bytes(item)][0]
        assert np.array_equal(vectors[row], kept[bytes(item)][1])
    after = Recommender.open(shoes).recommend(ids[0].decode(), k=50, collapse=False)
    assert [r.item_id for r in after.results] == [i for i in expected if i not in (gone.decode(), added.decode())]
    assert after.release == done.release
    assert shoes.ids("release") == [done.release]


def test_purging_again_does_nothing(shoes: Collection):
    assert purge(shoes) == (0, 0, shoes.current)
    gone = Catalog(shoes.latest("catalog")).item_ids[0].decode()
    Changes(shoes).remove([gone])
    purge(shoes)
    assert purge(shoes) == (0, 0, shoes.current)
    listing = FolderSource(str(shoes.path.parent / "pictures")).listing()
    ingest(shoes, listing, source_name="main", workers=1)
    assert gone.encode() not in Catalog(shoes.latest("catalog")).item_ids[:13]


def test_a_picture_that_an_ingest_left_in_an_old_shard_goes_too(shoes: Collection):
    gone = Catalog(shoes.latest("catalog")).item_ids[3].decode()
    picture = Thumbnails(shoes.latest("thumbnails")).read_bytes([3], 96)[0]
    Changes(shoes).remove([gone])
    listing = FolderSource(str(shoes.path.parent / "pictures")).listing()
    ingest(shoes, listing, source_name="main", workers=1)
    with pytest.raises(ArtifactError, match="older catalog and would be lost"):
        purge(shoes)
    extract(shoes, PixelsExtractor(), postprocess=POST, threads=1)
    build(shoes, {"_target_": "nitari.index.exact.Exact"})
    assert held(shoes, picture)
    purge(shoes)
    assert not held(shoes, picture)


def test_a_purge_that_was_killed_goes_on(shoes: Collection, monkeypatch: pytest.MonkeyPatch):
    gone = Catalog(shoes.latest("catalog")).item_ids[3].decode()
    picture = Thumbnails(shoes.latest("thumbnails")).read_bytes([3], 96)[0]
    Changes(shoes).remove([gone])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("_aligned", "build", "_delete_old"):
        with monkeypatch.context() as patch:
            patch.setattr(f"nitari.steps.purge.{step}", killed)
            with pytest.raises(KeyboardInterrupt):
                purge(shoes)
    purge(shoes)
    assert not held(shoes, picture)
    assert len(Recommender.open(shoes).recommend("picture-0000.jpg", k=50, collapse=False).results) == 12


def test_spaces_that_were_extracted_since_do_not_join_what_is_served(shoes: Collection):
    gone = Catalog(shoes.latest("catalog")).item_ids[3].decode()
    extract(shoes, PixelsExtractor(name="other"), postprocess=POST, threads=1)
    Changes(shoes).remove([gone])
    purge(shoes)
    recommender = Recommender.open(shoes)
    assert recommender.spaces == ["pixels"]
    assert len(recommender.recommend("picture-0000.jpg", k=50, collapse=False).results) == 12
