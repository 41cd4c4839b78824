import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ConfigError, NitariError, SourceError
from nitari.extractor import create
from nitari.images import alignment
from nitari.images.distortions import distort
from nitari.serve import infringe
from nitari.source.folder import FolderSource
from nitari.steps import matching
from nitari.steps.append import append
from nitari.steps.build import build
from nitari.steps.extract import extract

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture(scope="module")
def originals(tmp_path_factory, make_pictures):
    folder = tmp_path_factory.mktemp("originals")
    make_pictures(folder, 12, seed=1)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory, originals, ingest_folder):
    root = tmp_path_factory.mktemp("root")
    collection = Collection(root, "shop")
    ingest_folder(collection, originals)
    for spec in ("pdq.PdqExtractor", "hog.HogExtractor", "colour.ColourExtractor"):
        extract(collection, create({"_target_": f"nitari.extractor.{spec}"}))
    build(collection, EXACT)
    return root


@pytest.fixture(scope="module")
def foreign(tmp_path_factory, originals, make_pictures):
    """A twin, a re-encoded, a mirrored, a turned and a framed copy, other pictures, and what is no picture."""
    folder = tmp_path_factory.mktemp("foreign")
    make_pictures(folder / "other", 3, seed=99)
    shutil.copy(originals / "picture-0000.jpg", folder / "twin.jpg")
    pixels = {i: np.asarray(Image.open(originals / f"picture-{i:04d}.jpg")) for i in (1, 3, 4, 6)}
    for name, made in {
        "jpeg": distort(pixels[1], "jpeg", "key"),
        "mirrored": pixels[3][:, ::-1],
        "turned": np.rot90(pixels[4]),
        "framed": distort(pixels[6], "border", "key"),
    }.items():
        Image.fromarray(made).save(folder / f"{name}.png")
    Image.new("RGB", (90, 90), (200, 0, 0)).save(folder / "blank.png")
    (folder / "notes.jpg").write_text("not a picture")
    (folder / "cut.jpg").write_bytes((originals / "picture-0001.jpg").read_bytes()[:700])
    return folder


@pytest.fixture
def ask(root, capsys):
    """``ask(*words)`` runs the command and returns what it printed."""

    def run(*words):
        assert infringe.main([f"root={root}", "collection=shop", "threads=1", "checks=0", *words]) == 0
        return capsys.readouterr().out

    return run


def told(out):
    """{query: its best row} of the table."""
    with (out / "infringements.csv").open(encoding="utf-8", newline="") as file:
        return {row["query"]: row for row in csv.DictReader(file) if int(row["rank"]) <= 1}


def test_each_copy_is_told_with_its_evidence(ask, foreign, tmp_path):
    document = json.loads(ask(f"queries={foreign}", f"out={tmp_path / 'found'}", "turned=true", "format=json"))
    best = told(tmp_path / "found")
    assert len(best) == document["pictures"] == 11
    wanted = {"twin.jpg": 0, "jpeg.png": 1, "mirrored.png": 3, "turned.png": 4, "framed.png": 6}
    for name, number in wanted.items():
        assert best[name]["file_name"] == f"picture-{number:04d}.jpg", name
        assert best[name]["verdict"] == ("exact" if name == "twin.jpg" else "copy"), name
    assert best["twin.jpg"]["evidence"] == "sha256"
    assert best["jpeg.png"]["view"] == ""
    assert "trimmed" in best["framed.png"]["view"]
    assert {best[name]["verdict"] for name in ("notes.jpg", "cut.jpg")} == {"unreadable"}
    assert best["notes.jpg"]["message"].startswith("not_a_picture")
    assert document["verdicts"]["unreadable"] == 2
    others = [row["verdict"] for name, row in best.items() if name.startswith("other/")]
    assert len(others) == 3
    assert set(others) <= {"likely", "no"}
    assert (tmp_path / "found" / "copy-01.jpg").stat().st_size > 5000
    assert json.loads((tmp_path / "found" / "summary.json").read_text()) == document
    assert not (tmp_path / "found" / "work").exists()


def test_a_picture_of_one_colour_copies_nothing(ask, foreign, tmp_path):
    ask(f"queries={foreign / 'blank.png'}", f"out={tmp_path}", "spaces=pdq")
    assert told(tmp_path)["blank.png"]["verdict"] == "no"


def test_other_orientations_are_seen_only_where_asked(ask, foreign, tmp_path):
    ask(f"queries={foreign / 'turned.png'}", f"out={tmp_path}", "table=parquet")
    rows = pq.read_table(tmp_path / "infringements.parquet").to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert {row["verdict"] for row in rows} == {"no"}


def test_geometry_decides_where_no_space_is_sure(ask, originals, monkeypatch, tmp_path):
    pytest.importorskip("cv2", reason="needs the extra 'local'")
    picture = Image.open(originals / "picture-0002.png")
    picture.crop((picture.width // 3, picture.height // 4, picture.width, picture.height)).save(tmp_path / "part.png")
    words = [f"queries={tmp_path / 'part.png'}", "checks=12", "k=12", "spaces=pdq"]
    cases = ((0, 0.9, "copy", "alignment"), (0, 2, "likely", "geometry"), (10**6, 0.9, "no", "pdq"))
    for enough, same, verdict, evidence in cases:
        monkeypatch.setattr(matching, "ENOUGH", enough)
        monkeypatch.setattr(alignment, "SAME", same)
        ask(*words, f"out={tmp_path / verdict}")
        best = told(tmp_path / verdict)["part.png"]
        assert (best["verdict"], best["evidence"]) == (verdict, evidence)
        assert best["inliers"] != ""
        assert (best["agreement"] != "") == (enough == 0)


def test_visual_words_propose_what_a_part_was_cut_from(tmp_path, ingest_folder, capsys):
    pytest.importorskip("cv2", reason="needs the extra 'local'")
    pytest.importorskip("sklearn", reason="needs the extra 'train'")
    from nitari.extractor.visual_words import Training, VisualWordsExtractor
    from nitari.steps.vocabulary import vocabulary

    (tmp_path / "pictures").mkdir()
    random = np.random.default_rng(0)
    font = ImageFont.load_default(36)
    for number, letter in enumerate("AXSOMEKT"):  # each has features that no other has
        picture = Image.new("RGB", (312, 240), "white")
        for x, y in random.integers(0, (280, 200), (40, 2)):
            ImageDraw.Draw(picture).text((int(x), int(y)), letter, fill="black", font=font)
        picture.save(tmp_path / "pictures" / f"{number}.png")
    collection = Collection(tmp_path, "parts")
    ingest_folder(collection, tmp_path / "pictures", sizes=(256,))
    extract(collection, create({"_target_": "nitari.extractor.pdq.PdqExtractor"}))
    made = vocabulary(collection, Training(words=8, dim=16, sides=[96, 256], most=200, sample=80))
    extract(collection, VisualWordsExtractor(made.path), threads=1)
    build(collection, EXACT)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    picture = Image.open(tmp_path / "pictures" / "2.png")
    picture.crop((90, 80, 280, 220)).save(foreign / "part.png")
    words = [f"root={tmp_path}", "collection=parts", "threads=1", f"queries={foreign}", "checks=1", "format=json"]
    assert infringe.main([*words, f"out={tmp_path / 'out'}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (list(found["distances"]), found["proposing"]) == (["pdq"], ["visual_words"])
    best = told(tmp_path / "out")["part.png"]
    assert best["file_name"] == "2.png"
    assert (best["verdict"], best["evidence"]) == ("copy", "alignment")
    assert "distance_visual_words" not in best
    assert found["hint"] is None
    infringe.main([*words, "checks=0"])
    found = json.loads(capsys.readouterr().out)
    assert found["proposing"] == []
    assert f"nitari extract collection=parts root={tmp_path} extractor=visual_words && nitari build" in found["hint"]
    infringe.main([*words[:-1], "checks=0"])
    assert found["hint"] in capsys.readouterr().out


def test_a_killed_run_goes_on(root, foreign, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("nitari.steps.infringe.SHARD", 2)
    monkeypatch.setattr("nitari.steps.shards.FLUSH", 0.0)
    once = matching.Matcher.match
    calls = []

    def stop(self, pictures, rows, same):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(list(rows))
        return once(self, pictures, rows, same)

    words = ["collection=shop", f"root={root}", f"queries={foreign}", f"out={tmp_path}", "threads=1", "checks=0"]
    monkeypatch.setattr(matching.Matcher, "match", stop)
    with pytest.raises(KeyboardInterrupt):
        infringe.main(words)
    monkeypatch.setattr(matching.Matcher, "match", lambda *args: calls.append(list(args[2])) or once(*args))
    infringe.main(words)
    capsys.readouterr()
    assert sorted(row for rows in calls for row in rows) == list(range(9))
    assert len(told(tmp_path)) == 11


def test_other_queries_may_follow_a_killed_run(root, foreign, tmp_path, monkeypatch, make_pictures):
    out = tmp_path / "out"
    words = ["collection=shop", f"root={root}", f"out={out}", "threads=1", "checks=0", "spaces=pdq"]
    with monkeypatch.context() as patched:
        patched.setattr(matching.Matcher, "match", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            infringe.main([*words, f"queries={foreign}"])
    make_pictures(tmp_path / "others", 1, seed=50)
    assert infringe.main([*words, f"queries={tmp_path / 'others'}"]) == 0
    assert set(told(out)) == {"picture-0000.jpg"}


def test_originals_that_were_appended_are_found_and_removed_ones_are_not(
    tmp_path, capsys, make_pictures, ingest_folder
):
    make_pictures(tmp_path / "pictures", 4, seed=1)
    collection = Collection(tmp_path, "live")
    ingest_folder(collection, tmp_path / "pictures")
    extract(collection, create({"_target_": "nitari.extractor.pdq.PdqExtractor"}))
    build(collection, EXACT)
    late = make_pictures(tmp_path / "late", 3, seed=7)
    source = FolderSource(str(tmp_path / "late"))
    append(collection, source.listing(), source_name="late", about=source.about, workers=1)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    shutil.copy(late[0], foreign / "twin.jpg")
    picture = np.asarray(Image.open(late[1]).convert("RGB"))
    Image.fromarray(distort(picture, "jpeg", "key")).save(foreign / "jpeg.png")
    words = [f"root={tmp_path}", "collection=live", "threads=1", "checks=0", f"queries={foreign}", "k=1"]

    def verdicts(*more):
        out = tmp_path / "out"
        assert infringe.main([*words, f"out={out}", *more]) == 0
        return {name: (row["verdict"], row["file_name"], row["item_id"]) for name, row in told(out).items()}

    before = verdicts()
    assert {name: row[:2] for name, row in before.items()} == {
        "twin.jpg": ("exact", late[0].name),
        "jpeg.png": ("copy", late[1].name),
    }
    assert (tmp_path / "out" / "copy-01.jpg").stat().st_size > 300
    Changes(collection).remove([before["twin.jpg"][2]])
    assert verdicts()["twin.jpg"][0] in ("likely", "no")
    capsys.readouterr()


def test_tables_and_single_files_are_sources_too(ask, foreign, tmp_path):
    (tmp_path / "list.csv").write_text(f"path\n{foreign / 'twin.jpg'}\n{foreign / 'jpeg.png'}\nabsent.jpg\n")
    found = json.loads(ask(f"queries={tmp_path / 'list.csv'}", "format=json"))
    assert found["verdicts"] == {"exact": 1, "copy": 1, "likely": 0, "no": 0, "unreadable": 1}
    text = ask(f"queries={foreign / 'twin.jpg'}")
    assert "twin.jpg  <-  picture-0000.jpg" in text


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["queries=/no/where"], SourceError, "does not exist"),
        (["queries=.", "k=0"], ConfigError, "k is 0"),
        (["queries=.", "spaces=form"], ConfigError, "names 'form'"),
        (["queries=.", "spaces=colour"], ConfigError, "measured distance"),
        (["queries=.", "distance=form:1"], ConfigError, "names the space 'form'"),
        (["queries=.", "checks=many"], ConfigError, "checks is 'many'"),
        (["queries=.", "table=xml"], ConfigError, "table is 'xml'"),
    ],
)
def test_what_is_wrong_is_named(ask, words, error, message):
    with pytest.raises(error, match=message):
        ask(*words)
    assert issubclass(error, NitariError)
