import csv
import json
import shutil

import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.extractor import create
from nitari.serve import duplicates
from nitari.source.folder import FolderSource
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract


@pytest.fixture(scope="module")
def root(tmp_path_factory, make_pictures, ingest_folder):
    folder = tmp_path_factory.mktemp("pictures")
    paths = make_pictures(folder, 10)
    shutil.copy(paths[0], folder / "twin.jpg")
    Image.open(paths[1]).save(folder / "again.jpg", quality=40)
    root = tmp_path_factory.mktemp("root")
    for name in ("bare", "shop"):
        ingest_folder(Collection(root, name), folder)
    for spec in ("pixels.PixelsExtractor", "pdq.PdqExtractor", "colour.ColourExtractor"):
        extract(Collection(root, "shop"), create({"_target_": f"nitari.extractor.{spec}"}))
    return root


@pytest.fixture
def ask(root, capsys):
    def run(*words):
        assert duplicates.main([f"root={root}", *words]) == 0
        return capsys.readouterr().out

    return run


def test_twins_are_found_as_soon_as_pictures_are_ingested(ask):
    found = json.loads(ask("collection=bare", "format=json"))
    assert (found["space"], found["groups"], found["could_go"]) == (None, 1, 1)
    assert [row["file_name"] for row in found["largest"][0]] == ["picture-0000.jpg", "twin.jpg"]


def test_the_space_that_tells_copies_best_is_taken(ask):
    found = json.loads(ask("collection=shop", "format=json"))
    assert (found["space"], found["distance"]) == ("pdq", 31)
    assert (found["exact"]["groups"], found["near"]["groups"]) == (1, 1)
    assert json.loads(ask("collection=shop", "space=none", "format=json"))["groups"] == 1
    assert json.loads(ask("collection=shop", "space=colour", "distance=0", "format=json"))["distance"] == 0


def test_drawings_that_share_a_shape_are_no_copies(tmp_path, ask, ingest_folder):
    """A hash reads grey values. Hearts in three colours, one of them twice, and a picture with a mirrored copy."""
    folder = tmp_path / "hearts"
    folder.mkdir()
    for name, colour in (("red", (200, 40, 40)), ("blue", (40, 60, 230)), ("green", (30, 110, 30))):
        picture = Image.new("RGB", (128, 128), "white")
        ImageDraw.Draw(picture).polygon([(64, 112), (12, 40), (40, 12), (64, 36), (88, 12), (116, 40)], fill=colour)
        picture.save(folder / f"{name}.png")
    Image.open(folder / "red.png").resize((96, 96)).save(folder / "small.jpg", quality=80)
    collection = Collection(tmp_path, "hearts")
    ingest_folder(collection, folder)
    extract(collection, create({"_target_": "nitari.extractor.pdq.PdqExtractor"}))
    words = (f"root={tmp_path}", "collection=hearts")
    found = json.loads(ask(*words, "format=json"))
    assert [[row["file_name"] for row in group] for group in found["largest"]] == [["red.png", "small.jpg"]]
    assert found["refuted"] >= 2
    assert f"{found['refuted']} pairs are as near, but differ" in ask(*words)
    joined = json.loads(ask(*words, "verify=false", "format=json"))
    assert len(joined["largest"][0]) == 4
    assert joined["refuted"] is None
    with pytest.raises(ConfigError, match="verify is 'maybe'"):
        ask(*words, "verify=maybe")


def test_what_was_appended_is_looked_at_and_what_was_removed_is_not(
    tmp_path, ask, make_pictures, ingest_folder, caplog
):
    paths = make_pictures(tmp_path / "pictures", 6)
    collection = Collection(tmp_path, "live")
    ingest_folder(collection, tmp_path / "pictures")
    for spec in ("pixels.PixelsExtractor", "pdq.PdqExtractor"):
        extract(collection, create({"_target_": f"nitari.extractor.{spec}"}))
    build(collection, {"_target_": "nitari.index.exact.Exact"})
    late = tmp_path / "late"
    late.mkdir()
    shutil.copy(paths[0], late / "twin.jpg")
    Image.open(paths[1]).save(late / "again.jpg", quality=40)
    source = FolderSource(str(late))
    append(collection, source.listing(), source_name="late", about=source.about, workers=1)
    words = (f"root={tmp_path}", "collection=live")
    found = json.loads(ask(*words, "format=json"))
    assert (found["pictures"], found["exact"]["groups"], found["near"]["groups"], found["left_out"]) == (8, 1, 1, 0)
    assert {row["file_name"] for group in found["largest"] for row in group} >= {"twin.jpg", "again.jpg"}
    ask(*words, f"out={tmp_path / 'out'}", "keep=sharpest")
    assert (tmp_path / "out" / "largest.jpg").stat().st_size > 300
    twin = next(row["item_id"] for group in found["largest"] for row in group if row["file_name"] == "twin.jpg")
    Changes(collection).remove([twin])
    found = json.loads(ask(*words, "format=json"))
    assert (found["pictures"], found["exact"]["groups"], found["near"]["groups"]) == (7, 0, 1)
    extract(collection, create({"_target_": "nitari.extractor.phash.PhashExtractor"}))
    found = json.loads(ask(*words, "space=phash", "distance=2", "format=json"))
    assert (found["pictures"], found["left_out"]) == (6, 1)
    assert "1 appended picture is not compared" in caplog.text


def test_a_space_that_is_out_of_date_is_told_of(tmp_path, ask, make_pictures, ingest_folder, caplog):
    make_pictures(tmp_path / "pictures", 4)
    collection = Collection(tmp_path, "old")
    ingest_folder(collection, tmp_path / "pictures")
    extract(collection, create({"_target_": "nitari.extractor.pdq.PdqExtractor"}))
    make_pictures(tmp_path / "pictures", 5)
    ingest_folder(collection, tmp_path / "pictures")
    words = (f"root={tmp_path}", "collection=old", "format=json")
    assert json.loads(ask(*words))["space"] is None
    assert "Run: nitari extract collection=old" in caplog.text
    assert "Only the same bytes are compared" in caplog.text
    caplog.clear()
    extract(collection, create({"_target_": "nitari.extractor.pdq.PdqExtractor", "name": "zhash"}))
    assert json.loads(ask(*words))["space"] == "zhash"  # of the same kind, whatever its name
    assert not caplog.text
    shutil.rmtree(collection.path / "embeddings" / "zhash")
    extract(collection, create({"_target_": "nitari.extractor.phash.PhashExtractor"}))
    assert json.loads(ask(*words))["space"] == "phash"
    assert "Space 'phash' is asked instead" in caplog.text


def test_tables_and_sheets_are_written(ask, tmp_path):
    text = ask("collection=shop", f"out={tmp_path}")
    with (tmp_path / "duplicates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["kind"], row["keep"]) for row in rows] == [
        ("0", "exact", "true"),
        ("0", "exact", "false"),
        ("1", "exact", "true"),
        ("1", "near", "false"),
    ]
    for name in ("largest.jpg", "doubtful.jpg", "summary.json"):
        assert f"Written: {tmp_path / name}" in text
        assert (tmp_path / name).stat().st_size > 300
    ask("collection=shop", f"out={tmp_path}", "table=parquet", "keep=sharpest")
    assert pq.read_table(tmp_path / "duplicates.parquet").num_rows == 4


def test_the_summary_for_people(ask):
    text = ask("collection=shop")
    assert "shop: 12 pictures, space pdq, distance 31" in text
    assert "2 groups" in text
    assert "keep" in text


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["collection=shop", "space=form"], ArtifactError, "no embeddings of space 'form'"),
        (["collection=shop", "space=colour"], ConfigError, "no measured distance"),
        (["collection=shop", "distance=-1"], ConfigError, "distance is '-1'"),
        (["collection=shop", "distance=near"], ConfigError, "distance is 'near'"),
        (
            ["collection=shop", "distance=256"],
            ConfigError,
            "'256'. In space 'pdq' give a number from 0 to below 256, .* up to 31",
        ),
        (["collection=shop", "space=pdqq"], ArtifactError, "no embeddings of space 'pdqq'. Did you mean 'pdq'?"),
        (["collection=bare", "distance=3"], ConfigError, "no space to measure it in"),
        (["collection=shop", "keep=newest"], ConfigError, "keep is 'newest'"),
    ],
)
def test_what_is_wrong_is_named(ask, words, error, message):
    with pytest.raises(error, match=message):
        ask(*words)
