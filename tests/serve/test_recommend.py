import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nitari.cli import main
from nitari.collection import Collection
from nitari.errors import ConfigError, PictureError, QueryError
from nitari.extractor import create
from nitari.recommend.page import Page, Result
from nitari.serve import recommend
from nitari.steps.build import build
from nitari.steps.extract import extract

HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "ef_construction": 40}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, make_pictures):
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "bags, new", 12, seed=1)
    make_pictures(folder / "shoes", 12, seed=2)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory, pictures, ingest_folder):
    root = tmp_path_factory.mktemp("root")
    collection = Collection(root, "shop")
    ingest_folder(collection, pictures, lambda name: {"kind": name.split("/")[0], "price": len(name)})
    for spec in ("pixels.PixelsExtractor", "colour.ColourExtractor"):
        extract(collection, create({"_target_": f"nitari.extractor.{spec}"}))
    build(collection, HNSW, weights={"pixels": 1})
    return root


@pytest.fixture
def ask(root, capsys, monkeypatch):
    """``ask(*words)`` runs the command on the collection and returns what it printed."""

    def run(*words):
        assert recommend.main([f"root={root}", "collection=shop", *words]) == 0
        return capsys.readouterr().out

    monkeypatch.setenv("COLUMNS", "100")
    return run


def names(document):
    return [result["attributes"]["file_name"] for result in json.loads(document)["results"]]


def test_json_is_one_document(ask, root):
    document = json.loads(ask("like=shoes/picture-0003.jpg", "k=5", "format=json"))
    assert list(document) == ["collection", "release", "where", "results", "after", "why"]
    assert document["collection"] == "shop"
    assert document["release"] == Collection(root, "shop").current
    assert len(document["results"]) == 5
    first = document["results"][0]
    assert list(first) == ["item_id", "score", "similarity", "distance", "rank", "copies", "attributes"]
    assert list(first["similarity"]) == ["pixels"]
    assert set(first["attributes"]) == {"file_name", "kind", "price"}


def test_a_picture_file_finds_itself(ask, pictures):
    """An upload goes through the same code as the collection: the same vector, to the last bit that is printed."""
    for file in ("shoes/picture-0003.jpg", "shoes/picture-0005.png"):
        document = ask(f"like={pictures / file}", "k=1", "format=json")
        assert names(document) == [file]
        assert json.loads(document)["results"][0]["score"] == 1.0


def test_an_item_is_not_its_own_neighbour(ask):
    by_name = names(ask("like=shoes/picture-0003.jpg", "k=23", "format=json"))
    assert len(by_name) == 23
    assert "shoes/picture-0003.jpg" not in by_name


def test_commas_in_names_and_between_them(ask, pictures):
    one = names(ask("like=bags, new/picture-0001.jpg", "k=30", "format=json"))
    two = names(ask("like='bags, new/picture-0001.jpg',shoes/picture-0002.png", "k=30", "format=json"))
    three = names(
        ask(
            f"like=shoes/picture-0003.jpg,shoes/picture-0002.png,'{pictures}/shoes/picture-0001.jpg'",
            "k=30",
            "format=json",
        )
    )
    assert (len(one), len(two), len(three)) == (23, 22, 22)


def test_filters_as_typed(ask):
    found = names(ask("like=shoes/picture-0003.jpg", "where=kind='bags, new' and price>=3", "k=50", "format=json"))
    assert len(found) == 12
    assert all(name.startswith("bags, new/") for name in found)


def test_spaces_and_weights(ask):
    for words in (["spaces=pixels,colour"], ["weights=pixels:1,colour:1"]):
        document = json.loads(ask("like=shoes/picture-0003.jpg", "k=4", "format=json", *words))
        for result in document["results"]:
            similarity = result["similarity"]
            assert set(similarity) == {"pixels", "colour"}
            assert result["score"] == pytest.approx((similarity["pixels"] + similarity["colour"]) / 2, abs=1e-5)


def test_a_filter_that_admits_nothing_is_explained_beside_the_result(root, capsys):
    recommend.main([f"root={root}", "collection=shop", "like=shoes/picture-0003.jpg", "where=kind=shoe"])
    out, err = capsys.readouterr()
    assert out.strip() == "No item matches."
    assert err.strip() == "No picture has kind=shoe. kind has 'bags, new' (12), shoes (12)"


def test_a_space_that_is_not_there_is_told_as_it_was_asked(ask):
    with pytest.raises(ConfigError, match=r"spaces names 'colur'\. Did you mean 'colour'"):
        ask("like=shoes/picture-0003.jpg", "spaces=colur")


def test_a_long_file_name_is_cut_only_where_there_is_no_room():
    name = f"{'a' * 60}.jpg"
    result = Result("x" * 16, 1.0, {"pixels": 1.0}, {"pixels": 0.0}, {"pixels": 1}, [], {"file_name": name})
    page = Page("shop", "r", [result])
    assert name in recommend.table(page, width=100)[0]
    assert name not in recommend.table(page, width=60)[0]


def test_dislikes_histories_and_pages(ask, pictures):
    like = "like=shoes/picture-0003.jpg"
    away = names(ask(like, f"unlike=shoes/picture-0002.png,{pictures}/shoes/picture-0001.jpg", "k=30", "format=json"))
    assert len(away) == 22
    assert away != names(ask(like, "exclude=shoes/picture-0002.png", "k=30", "format=json"))
    seen = names(ask("history=shoes/picture-0003.jpg,gone,shoes/picture-0002.png", "k=30", "format=json"))
    assert len(seen) == 22
    first = json.loads(ask(like, "k=10", "diversity=.3", "fuse=rank", "format=json"))
    second = json.loads(ask(like, "k=30", "diversity=.3", "fuse=rank", "format=json", f"after={first['after']}"))
    whole = names(ask(like, "k=30", "diversity=.3", "fuse=rank", "format=json"))
    assert [r["attributes"]["file_name"] for r in first["results"] + second["results"]] == whole
    assert names(ask(like, "k=1", "echo=true", "format=json")) == ["shoes/picture-0003.jpg"]


def test_copies_are_counted(root, ask, tmp_path):
    build(Collection(root, "shop"), HNSW, weights={"pixels": 1}, collapse={"distance": 0.4}, switch=False)
    release = Collection(root, "shop").ids("release")[-1]
    words = ["like=shoes/picture-0003.jpg", "k=30", f"release={release}"]
    found = json.loads(ask(*words, "format=json"))["results"]
    assert any(result["copies"] for result in found)
    lines = ask(*words, f"sheet={tmp_path / 'copies.jpg'}").splitlines()
    assert lines[0].split()[:3] == ["score", "item_id", "copies"]
    assert len(lines) == len(found) + 1 < len(ask(*words, "collapse=false").splitlines())


def test_the_table_names_what_it_shows(ask):
    lines = ask("like=shoes/picture-0003.jpg", "k=3", "spaces=pixels,colour").splitlines()
    assert lines[0].split() == ["score", "pixels", "colour", "item_id", "file_name", "kind", "price"]
    assert len(lines) == 4
    assert ask("like=shoes/picture-0003.jpg", "where=kind=shoes and price<3").strip() == "No item matches."
    chosen = ask("like=shoes/picture-0003.jpg", "k=3", "spaces=pixels", "columns=price")
    assert chosen.splitlines()[0].split() == ["score", "item_id", "price"]


def page_of(**attributes) -> Page:
    """Two results with the same attributes, compared in two spaces."""
    results = [
        Result(item_id=16 * item, score=0.5, similarity={"encoder": 0.5, "hog": 0.25}, distance={}, rank={},
               copies=[], attributes={"file_name": f"{item}.jpg"} | attributes)
        for item in "ab"
    ]  # fmt: skip
    return Page("shop", "release", results)


def test_the_table_is_as_wide_as_there_is_room_for():
    page = page_of(kind="bag", none=None, shade="x" * 30, text="y" * 60, price=3)
    for width, names, left in [
        (200, ["file_name", "kind", "shade", "text", "price"], []),
        (100, ["file_name", "kind", "shade", "price"], ["text"]),
        (65, ["file_name", "kind", "price"], ["shade", "text"]),
        (40, [], ["file_name", "kind", "shade", "text", "price"]),
    ]:
        text, found = recommend.table(page, width=width)
        assert text.splitlines()[0].split() == ["score", "encoder", "hog", "item_id", *names]
        assert found == left
        assert max(map(len, text.splitlines())) <= max(width, 41)


def test_a_long_file_name_keeps_its_end():
    page = page_of()
    page.results[0].attributes["file_name"] = "folder/" * 5 + "b.jpg"
    text, left = recommend.table(page, width=60)
    assert (max(map(len, text.splitlines())), left) == (60, [])
    assert text.splitlines()[1].endswith("/b.jpg")
    assert "…" in text


def test_columns_that_are_chosen_are_shown_whatever_their_width():
    page = page_of(kind="bag", shade="x" * 30, price=3)
    text, left = recommend.table(page, ["price", "shade", "kind"], 40)
    assert text.splitlines()[0].split()[4:] == ["price", "shade", "kind"]
    assert left == []


def test_the_terminal_says_how_wide(root, ask, capsys, monkeypatch):
    words = ["like=shoes/picture-0003.jpg", "k=3"]
    assert recommend.main([*words, f"root={root}", "collection=shop"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[0].split(), err) == (["score", "item_id", "file_name", "kind", "price"], "")
    monkeypatch.setenv("COLUMNS", "50")
    assert recommend.main([*words, f"root={root}", "collection=shop"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 50
    assert err == "No room for kind, price. Choose with columns=file_name,kind; format=json has all\n"
    assert ask(*words, "columns=[price,kind]").splitlines()[0].split() == ["score", "item_id", "price", "kind"]


def test_the_sheet_is_a_picture(ask, pictures, tmp_path):
    for name, like in (
        ("one.jpg", "shoes/picture-0003.jpg"),
        ("two.png", f"shoes/picture-0003.jpg,{pictures}/shoes/picture-0001.jpg"),
    ):
        ask(f"like={like}", "k=5", f"sheet={tmp_path / name}")
        assert len(np.unique(np.asarray(Image.open(tmp_path / name)).reshape(-1, 3), axis=0)) > 1000


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["like=nobody"], QueryError, "no item 'nobody'"),
        (["like=shoes/picture-0003.jpg,nobody"], QueryError, "no item 'nobody'"),
        (["like="], QueryError, "like is empty"),
        (["like=" + "x" * 5000], QueryError, "is no picture file"),
        (["like=a\0b"], QueryError, "is no picture file"),
        (["like=x", "format=xml"], ConfigError, "format is 'xml'"),
        (["like=x", "sheet=neighbours.gif"], ConfigError, "ends in .jpg, .png or .webp"),
        (["like=x", "sheet=/no/where.jpg"], ConfigError, "directory '/no' does not exist"),
        (["like=x", "spaces=pixels", "weights=colour:1"], ConfigError, "not both|alone"),
        (["like=shoes/picture-0003.jpg", "spaces=form"], ConfigError, "spaces names 'form'"),
        (["like=shoes/picture-0003.jpg", "k=0"], QueryError, "k is 0"),
        (["like=shoes/picture-0003.jpg", "fuse=both"], QueryError, "fuse is 'both'"),
        (["like=shoes/picture-0003.jpg", "after=x"], QueryError, "is no cursor"),
        (["like=shoes/picture-0003.jpg", "columns=size"], ConfigError, "columns names 'size'"),
        (["text=red", "like=x"], ConfigError, "text was given with like"),
        (["history=gone"], QueryError, "history of items that are there"),
    ],
)
def test_what_is_wrong_is_named(ask, words, error, message):
    with pytest.raises(error, match=message):
        ask(*words)


def test_a_file_that_is_no_picture(ask, tmp_path, shared_data):
    file = tmp_path / "notes.jpg"
    file.write_text("not a picture")
    with pytest.raises(PictureError, match=r"notes\.jpg' cannot be used as a query"):
        ask(f"like={file}")
    with pytest.raises(PictureError, match="decompression_bomb"):
        ask(f"like={next((shared_data / 'nasty').rglob('decompression_bomb.gif'))}")


def test_as_a_command(root):
    """Nothing but the document on standard output, no training stack, and an error without a traceback."""
    code = (
        "import sys; from nitari.cli import main; status = main(sys.argv[1:])\n"
        "heavy = [m for m in ('torch', 'pandas', 'mlflow', 'hydra') if m in sys.modules]\n"
        "print(heavy, file=sys.stderr); sys.exit(status)"
    )
    words = [sys.executable, "-c", code, "recommend", f"root={root}", "collection=shop", "format=json"]
    result = subprocess.run([*words, "like=shoes/picture-0003.jpg"], capture_output=True, text=True, check=True)
    assert len(json.loads(result.stdout)["results"]) == 12
    assert result.stderr == "[]\n"
    result = subprocess.run([*words, "like=nobody"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


def test_help_shows_every_setting(capsys):
    assert main(["recommend", "--help"]) == 0
    text = capsys.readouterr().out
    for key in recommend.SETTINGS:
        assert f"\n    {key}  " in text, key
