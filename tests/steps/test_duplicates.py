import shutil

import numpy as np
import pytest
from PIL import Image

from nitari.annotator.groups import Near
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor import create
from nitari.index.exact import Exact
from nitari.steps.duplicates import detail, duplicates, preference, same_bytes, summary
from nitari.steps.extract import extract
from nitari.steps.pictures import Pictures


@pytest.fixture(scope="module")
def collection(tmp_path_factory, make_pictures, ingest_folder):
    """Ten pictures; the first has a twin, a large and a small copy, the second a blurred copy of its own size."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = make_pictures(folder, 10)
    shutil.copy(paths[0], folder / "twin.jpg")
    first, second = Image.open(paths[0]), Image.open(paths[1])
    first.resize((first.width * 2, first.height * 2), Image.Resampling.BICUBIC).save(folder / "large.png")
    first.resize((first.width // 2, first.height // 2)).save(folder / "small.jpg")
    second.resize((20, 16)).resize(second.size, Image.Resampling.BICUBIC).save(folder / "blurred.bmp")
    collection = Collection(tmp_path_factory.mktemp("root"), "shop")
    ingest_folder(collection, folder)
    extract(collection, create({"_target_": "nitari.extractor.pixels.PixelsExtractor"}))
    return collection


@pytest.fixture(scope="module")
def catalog(collection):
    return Catalog(collection.latest("catalog"))


def near(collection, distance):
    embeddings = Embeddings(collection.latest("embeddings", "pixels"))
    index = Exact(embeddings.space)
    index.build(embeddings.vectors)
    return Near(embeddings.space, embeddings.vectors, index.search, distance)


def names(table):
    groups: dict[int, list[str]] = {}
    for row in table.to_pylist():
        groups.setdefault(row["group"], []).append(row["file_name"])
    return list(groups.values())


def test_the_same_bytes_need_no_space(catalog):
    table = duplicates(catalog)
    assert names(table) == [["picture-0000.jpg", "twin.jpg"]]
    assert table.column("keep").to_pylist() == [True, False]
    assert set(table.column("kind").to_pylist()) == {"exact"}
    assert table.column("distance").null_count == 2


def test_copies_come_in_one_group_with_the_largest_kept(collection, catalog):
    table = duplicates(catalog, near(collection, 0.06))
    groups = names(table)
    assert groups[0] == ["large.png", "picture-0000.jpg", "twin.jpg", "small.jpg"]
    assert sorted(groups[1]) == ["blurred.bmp", "picture-0001.jpg"]
    rows = table.to_pylist()
    assert [row["keep"] for row in rows] == [True, False, False, False, True, False]
    assert rows[0]["distance"] == 0
    assert all(0 <= row["distance"] <= 0.06 for row in rows)
    assert [row["kind"] for row in rows[:4]] == ["exact", "near", "near", "near"]


def test_what_could_go_is_counted(collection, catalog):
    found = summary(duplicates(catalog, near(collection, 0.06)))
    size = dict(zip(catalog.column("file_name").to_pylist(), catalog.column("size_bytes").to_pylist(), strict=True))
    gone = ["picture-0000.jpg", "twin.jpg", "small.jpg"]
    assert (found["groups"], found["could_go"]) == (2, 4)
    assert found["near"]["groups"] == 2
    assert found["exact"] == {"groups": 0, "pictures": 0, "bytes": 0}
    assert found["bytes"] - sum(size[name] for name in gone) in (size["blurred.bmp"], size["picture-0001.jpg"])
    assert summary(duplicates(catalog))["exact"] == {"groups": 1, "pictures": 1, "bytes": size["twin.jpg"]}


def test_hidden_rows_are_no_pictures_any_more(collection, catalog):
    hidden = np.sort([catalog.row("large.png"), catalog.row("twin.jpg"), catalog.row("blurred.bmp")])
    assert names(duplicates(catalog, near(collection, 0.06), hidden=hidden)) == [["picture-0000.jpg", "small.jpg"]]
    assert names(duplicates(catalog, hidden=hidden)) == []


def test_the_sharpest_is_kept_where_asked(collection, catalog):
    """The blurred copy is the larger file, and the enlarged one has more pixels: neither has more detail."""
    table = duplicates(catalog, near(collection, 0.06), Pictures(collection, catalog))
    kept = {row["file_name"] for row in table.to_pylist() if row["keep"]}
    assert "picture-0001.jpg" in kept
    assert "small.jpg" not in kept
    rows = table.to_pylist()
    assert all(row["distance"] == 0 for row in rows if row["keep"])


def test_detail_is_compared_at_one_size():
    random = np.random.default_rng(0)
    sharp = random.integers(0, 256, (120, 160, 3)).astype(np.uint8)
    half = np.asarray(Image.fromarray(sharp).resize((80, 60)))
    double = np.asarray(Image.fromarray(half).resize((160, 120), Image.Resampling.BICUBIC))
    assert detail(sharp, 160) > 2 * detail(half, 160)
    assert detail(double, 160) == pytest.approx(detail(half, 160), rel=0.2)
    assert detail(np.zeros((1, 1, 3), np.uint8), 160) == 0


def test_preference_and_bytes(catalog):
    order = preference(catalog)
    assert sorted(order.tolist()) == list(range(catalog.n_ready))
    assert catalog.records(order[:1], ["file_name"])[0]["file_name"] == "large.png"
    same = same_bytes(catalog)
    assert len(np.unique(same)) == catalog.n_ready - 1
