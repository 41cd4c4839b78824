import json
import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.extractor.pixels import PixelsExtractor
from nitari.serve import append, recommend
from nitari.steps.build import build
from nitari.steps.extract import extract


@pytest.fixture
def run(tmp_path, make_pictures, ingest_folder, capsys):
    """``run(path, *words)`` appends to a collection of twelve pictures and returns what was printed."""
    make_pictures(tmp_path / "pictures", 12)
    collection = Collection(tmp_path / "my root", "shop")
    ingest_folder(collection, tmp_path / "pictures")
    extract(collection, PixelsExtractor(), threads=1)
    build(collection, {"_target_": "nitari.index.exact.Exact"})

    def run(path: Path, *words: str) -> str:
        settings = [f"root={tmp_path / 'my root'}", "collection=shop", "source=late", "threads=1"]
        assert append.main([*settings, f"path={path}", *words]) == 0
        return capsys.readouterr().out

    return run


def test_a_picture_that_was_added_can_be_asked_with(run, tmp_path, make_pictures, capsys):
    (path,) = make_pictures(tmp_path / "more", 1, seed=7)
    first, item, ask = run(path).splitlines()
    assert first.startswith("Added 1 picture in ")
    assert item.split()[1:] == [path.name]
    command, job, *words = shlex.split(ask.removeprefix("More like one: "))
    assert (command, job, words[-1]) == ("nitari", "recommend", f"like={item.split()[0]}")
    assert recommend.main([*words, "k=3", "format=json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 3


def test_a_kind_of_source_is_not_taken_for_a_name(run, tmp_path, make_pictures, monkeypatch):
    make_pictures(tmp_path / "more", 1, seed=7)
    with pytest.raises(ConfigError, match="source is 'tar', a kind of source"):
        run(tmp_path / "more", "source=tar")
    monkeypatch.setattr(append, "_kinds", list)
    run(tmp_path / "more", "source=tar")
    monkeypatch.undo()
    make_pictures(tmp_path / "more", 2, seed=8)
    assert run(tmp_path / "more", "source=tar").startswith("Added")  # a source of that name is there


def test_of_many_a_few_are_named_and_where_all_are(run, tmp_path, make_pictures):
    make_pictures(tmp_path / "more", 8, seed=7)
    lines = run(tmp_path / "more").splitlines()
    assert len(lines) == 1 + append.SHOWN + 2
    more, file = re.fullmatch(r"  and (\d+) more; all are in '(.*)', column item_id", lines[-2]).groups()
    ids = pq.read_table(file).column("item_id").to_pylist()
    assert (int(more), len(ids)) == (3, 8)
    assert {line.split()[0] for line in lines[1:6]} < set(ids)


def test_as_json_all_are_named(run, tmp_path, make_pictures):
    made = make_pictures(tmp_path / "more", 8, seed=7)
    found = json.loads(run(tmp_path / "more", "format=json"))
    assert {item["file_name"] for item in found["items"]} == {path.name for path in made}
    assert json.loads(run(tmp_path / "more", "format=json"))["items"] == []
