"""Pictures of a catalog and of what was appended since, each row its own."""

import shutil

import numpy as np
import pytest
from PIL import Image

from nitari.catalog import Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor.pixels import PixelsExtractor
from nitari.images.decode import decode
from nitari.recommend.live import Live
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.freshness import left_out
from nitari.steps.ingest import ingest
from nitari.steps.pictures import LivePictures

BUILD = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def shop(tmp_path, make_pictures):
    make_pictures(tmp_path / "pictures", 5)
    collection = Collection(tmp_path, "shop")
    ingest(collection, listing(collection), source_name="main", workers=1)
    extract(collection, PixelsExtractor(), threads=1)
    build(collection, BUILD)
    return collection


def listing(collection):
    return FolderSource(str(collection.path.parent / "pictures")).listing()


def add(collection, make_pictures, names, seed):
    """One addition of new, or newer, pictures of these names."""
    made = make_pictures(collection.path.parent / f"aside-{seed}", len(names), seed=seed)
    for path, name in zip(made, names, strict=True):
        Image.open(path).convert("RGB").save(collection.path.parent / "pictures" / name, "PNG")
    return append(collection, listing(collection), source_name="main", workers=1).addition


def test_each_row_has_its_own_picture(shop, make_pictures):
    """Two additions; the second has a newer picture of the first one's, and one of a stored one's."""
    add(shop, make_pictures, ["a.png", "b.png", "c.png"], 7)
    add(shop, make_pictures, ["b.png", "d.png", "picture-0002.png"], 8)
    live = Live(shop, Catalog(shop.latest("catalog")), {})
    assert [len(one.rows) for one in live.additions] == [2, 3]
    pictures = LivePictures(shop, live)
    names = live.catalog.ready("file_name").to_pylist()
    rows = [row for row in range(live.catalog.n_ready) if not live.hides(row)]
    assert sorted(names[row] for row in rows) == sorted({*names})
    for row, found in zip(rows, pictures.read(rows, 96), strict=True):
        file = shop.path.parent / "pictures" / names[row]
        whole = decode(file.read_bytes()).pixels
        np.testing.assert_array_equal(pictures.original(row), whole)
        small = np.asarray(Image.fromarray(whole).resize(found.shape[1::-1], Image.Resampling.BOX), np.float32)
        assert np.abs(found - small).mean() < 6, names[row]


def test_vectors_and_search_go_with_the_rows(shop, make_pictures):
    add(shop, make_pictures, ["a.png", "b.png"], 7)
    add(shop, make_pictures, ["b.png", "picture-0002.png"], 8)
    stored = Embeddings(shop.latest("embeddings", "pixels"))
    live = Live(shop, Catalog(shop.latest("catalog")), {"pixels": stored.key})
    from nitari.index import open_index

    vectors, search = live.joined(stored, open_index(shop.latest("index", "pixels"), stored))
    pictures = LivePictures(shop, live)
    for row in range(live.catalog.n_ready):
        own = PixelsExtractor().extract(pictures.read([row], 96))
        np.testing.assert_allclose(vectors[row], own[0], atol=1e-5)
        if not live.hides(row):
            assert search.search(own, 1, where=live.shown).rows[0, 0] == row


def test_a_damaged_addition_is_left_out_with_what_mends_it(shop, make_pictures, caplog):
    first = add(shop, make_pictures, ["a.png"], 7)
    second = add(shop, make_pictures, ["b.png"], 8)
    small = Changes(shop).addition(first)
    (small.latest("thumbnails").path / "manifest.json").write_text("{")
    live = Live(shop, Catalog(shop.latest("catalog")), {})
    LivePictures(shop, live)
    assert [one.collection.path.name for one in live.additions] == [second]
    assert f"Addition '{first}' cannot be read" in caplog.text
    assert "nitari append collection=shop" in caplog.text
    assert live.left_out() == 0  # that is another thing


def test_what_is_of_other_spaces_is_counted(shop, make_pictures, caplog):
    add(shop, make_pictures, ["a.png", "picture-0002.png"], 7)
    extract(shop, PixelsExtractor("finer", 24), threads=1)
    keys = {"finer": Embeddings(shop.latest("embeddings", "finer")).key}
    stored = Catalog(shop.latest("catalog"))
    assert left_out(shop, Live(shop, stored, keys)) == 2
    assert "2 appended pictures are not compared" in caplog.text
    assert "nitari show collection=shop" in caplog.text
    Changes(shop).remove(stored.ids([stored.row("picture-0002.png")]))
    assert Live(shop, stored, keys).left_out() == 1
    ingest(shop, listing(shop), source_name="main", workers=1)
    assert Live(shop, Catalog(shop.latest("catalog")), keys).left_out() == 0
    assert Live(shop, stored, {}).left_out() == 0
    shutil.rmtree(shop.path / "additions")
    assert Live(shop, stored, keys).left_out() == 0
