import shutil

import numpy as np
import pytest
from PIL import Image

from nitari.annotator.duplicates import DuplicatesAnnotator
from nitari.artifact import publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.space import Space
from nitari.steps.annotate import annotate


@pytest.fixture
def collection(tmp_path, make_pictures, ingest_folder):
    """Six pictures: 0 and 3 are equal, 1 is also there at half its size as 4, and 2 and 5 are by themselves."""
    folder = tmp_path / "pictures"
    paths = make_pictures(tmp_path / "some", 6)
    folder.mkdir()
    for i in (0, 1, 2, 5):
        Image.open(paths[i]).save(folder / f"{i}.png")
    shutil.copy(folder / "0.png", folder / "3.png")
    picture = Image.open(folder / "1.png")
    picture.resize((picture.width // 2, picture.height // 2)).save(folder / "4.png")
    collection = Collection(tmp_path, "shoes")
    catalog = ingest_folder(collection, folder)
    vectors = np.eye(6, dtype=np.float32)
    names = Catalog(catalog).ready("file_name").to_pylist()
    vectors[names.index("4.png")] = vectors[names.index("1.png")]
    work = collection.work("embeddings", {})
    np.save(work / "vectors.npy", vectors)
    info = {"space": Space("place", "l2", 6).to_dict(), "extractor": {}}
    publish(
        work,
        collection.folder("embeddings", "place"),
        "embeddings",
        parents={"catalog": catalog},
        counts={"vectors": 6},
        info=info,
    )
    return collection


def found(collection: Collection) -> dict[str, tuple[str | None, int, bool]]:
    """By file: the file that its group is named after, how many there are, whether it is one too many."""
    catalog = Catalog.newest(collection)
    names = ["item_id", "file_name", "duplicate_group", "duplicate_count", "is_duplicate"]
    records = catalog.records(range(6), names)
    files = {record["item_id"]: record["file_name"] for record in records}
    return {r["file_name"]: (files.get(r["duplicate_group"]), r["duplicate_count"], r["is_duplicate"]) for r in records}


def test_equal_bytes_are_one_group(collection: Collection):
    annotate(collection, DuplicatesAnnotator())
    groups = found(collection)
    assert groups["1.png"] == groups["4.png"] == groups["2.png"] == (None, 1, False)
    assert {groups["0.png"][:2], groups["3.png"][:2]} in ({("0.png", 2)}, {("3.png", 2)})
    assert groups["0.png"][2] != groups["3.png"][2]


def test_near_ones_are_named_after_the_largest(collection: Collection):
    annotate(collection, DuplicatesAnnotator(space="place", threshold=0.1))
    groups = found(collection)
    assert groups["1.png"] == ("1.png", 2, False)
    assert groups["4.png"] == ("1.png", 2, True)
    selection = Catalog.newest(collection).select("is_duplicate=false")
    assert selection is not None
    assert len(selection.rows) == 4


def test_near_ones_that_differ_in_their_pixels_are_no_copies(collection: Collection):
    """All six vectors are within 2 of each other; only one picture is another at half its size."""
    annotate(collection, DuplicatesAnnotator(space="place", threshold=2.0, verify=True))
    groups = found(collection)
    assert groups["4.png"] == ("1.png", 2, True)
    assert groups["2.png"] == groups["5.png"] == (None, 1, False)
    annotate(collection, DuplicatesAnnotator(space="place", threshold=2.0))
    assert found(collection)["2.png"][1] == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": "place"}, "Give both"),
        ({"threshold": 1}, "Give both"),
        ({"space": "place", "threshold": -1}, "is -1"),
    ],
)
def test_bad_settings_are_refused(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        DuplicatesAnnotator(**settings)
