import json

import pytest

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import QueryError
from nitari.extractor.pixels import PixelsExtractor
from nitari.recommend.recommender import Recommender
from nitari.serve import remove
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.steps.purge import purge


@pytest.fixture
def shop(tmp_path, make_pictures):
    folder = tmp_path / "pictures"
    make_pictures(folder, 6)
    (folder / "picture-0003.jpg").rename(folder / "my best, front.jpg")
    collection = Collection(tmp_path, "shop")
    source = FolderSource(str(folder))
    ingest(collection, source.listing(), source_name="main", about=source.about, workers=1)
    extract(collection, PixelsExtractor(), threads=1)
    build(collection, {"_target_": "nitari.index.exact.Exact"})
    return collection


@pytest.fixture
def ask(shop, capsys):
    def run(*words):
        assert remove.main([f"root={shop.path.parent}", "collection=shop", *words]) == 0
        return capsys.readouterr().out

    return run


def test_a_name_may_have_commas(ask, shop):
    assert "Removed 1 of 1 items; 1 are removed in all" in ask("items=my best, front.jpg")
    assert "Removed 2 of 2" in ask("items=picture-0001.jpg,picture-0002.png")
    with pytest.raises(QueryError, match="no item 'nobody'"):
        ask("items=nobody")
    with pytest.raises(QueryError, match="no item 'nobody'"):
        ask("items=picture-0000.jpg,nobody")


def test_a_filter_that_matches_nothing_says_why(ask):
    assert ask("where=width>9999").startswith(
        "Removed 0 of 0 items; 0 are removed in all\nNo picture has width>9999. width goes from "
    )
    assert json.loads(ask("where=width>9999", "format=json"))["why"].startswith("No picture has width>9999")


def test_a_name_without_its_folder_is_told_with_it(ask, shop, tmp_path):
    inside = tmp_path / "pictures" / "bags"
    inside.mkdir()
    (tmp_path / "pictures" / "picture-0002.png").rename(inside / "a.png")
    source = FolderSource(str(tmp_path / "pictures"))
    ingest(shop, source.listing(), source_name="main", about=source.about, workers=1)
    extract(shop, PixelsExtractor(), threads=1)
    build(shop, {"_target_": "nitari.index.exact.Exact"})
    with pytest.raises(QueryError, match=r"Did you mean bags/a\.png\?"):
        ask("items=A.png")


def test_what_was_purged_is_not_said_to_be_back(ask, shop):
    catalog = Catalog(shop.latest("catalog"))
    one, two = catalog.ids([catalog.row("picture-0000.jpg"), catalog.row("picture-0001.jpg")])
    ask(f"items={one}")
    purge(shop)
    ask(f"items={two}")
    text = ask(f"items={one},{two}", "restore=true")
    assert "Restored 2 of 2 items; 0 are removed in all" in text
    assert "1 of them was purged meanwhile" in text
    assert "nitari ingest collection=shop" in text
    ask(f"items={two}")
    assert "purged" not in json.loads(ask(f"items={two}", "restore=true", "format=json"))


def test_a_picture_that_was_gone_and_came_back_is_one_item(shop, tmp_path):
    folder = tmp_path / "pictures"
    file = folder / "picture-0001.jpg"
    kept = file.read_bytes()
    file.unlink()
    ingest(shop, FolderSource(str(folder)).listing(), source_name="main", workers=1)
    extract(shop, PixelsExtractor(), threads=1)
    build(shop, {"_target_": "nitari.index.exact.Exact"})
    file.write_bytes(kept)
    append(shop, FolderSource(str(folder)).listing(), source_name="main", workers=1)
    catalog = Recommender.open(shop).catalog
    assert catalog.n_stored <= catalog.row("picture-0001.jpg") < catalog.n_ready
