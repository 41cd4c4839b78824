import shlex
from pathlib import Path

import pytest
import yaml

from nitari.artifact import publish
from nitari.cli import main
from nitari.collection import Collection
from nitari.command import ROOT, command, filled, home, owner, rooted
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.serve.api.context import Context
from nitari.serve.api.settings import Settings


def test_a_command_reaches_the_collection_wherever_it_lies():
    assert command("build", Path("collections/shoes")) == "nitari build collection=shoes"
    assert command("build", Path("demo/shoes"), "index=hnsw") == "nitari build collection=shoes root=demo index=hnsw"
    typed = command("show", Path("my pictures/it's/shoes"))
    assert shlex.split(typed) == ["nitari", "show", "collection=shoes", "root=my pictures/it's"]


def test_the_usual_root_is_that_of_the_jobs():
    conf = Path(__file__).resolve().parents[1] / "conf" / "base.yaml"
    assert yaml.safe_load(conf.read_text())["root"] == ROOT
    assert rooted(ROOT) == rooted(Path(ROOT)) == ""


def test_what_was_left_open_is_filled():
    text = "Damaged. Renew it with: nitari build collection=…"
    assert filled(text, Path("demo/shoes")) == "Damaged. Renew it with: nitari build collection=shoes root=demo"


def test_an_addition_is_reached_as_the_collection_that_it_belongs_to(tmp_path: Path):
    shoes = tmp_path / "shoes"
    assert owner(tmp_path / "additions" / "shoes") == tmp_path / "additions" / "shoes"
    (shoes / "catalog").mkdir(parents=True)
    assert owner(shoes / "additions" / "20261124") == shoes
    assert owner(shoes / "work" / "append-0123" / "addition") == shoes
    assert owner(shoes) == shoes


@pytest.mark.parametrize(("kind", "space"), [("catalog", None), ("embeddings", "hog"), ("index", "hog")])
def test_a_damaged_artifact_names_the_command_that_renews_it(tmp_path: Path, kind: str, space: str | None):
    shoes = Collection(tmp_path, "shoes")
    work = shoes.work(kind, {})
    (work / "data").write_text("data")
    made = publish(work, shoes.folder(kind, space), kind)
    assert made.home == home(made.path, kind) == shoes.path
    (made.path / "data").write_text("dat")
    job = {"catalog": "ingest", "embeddings": "extract", "index": "build"}[kind]
    said = shoes.command(job, *(["extractor=hog"] if kind == "embeddings" else []))
    with pytest.raises(DamagedArtifactError) as caught:
        made.verify(full=True)
    assert str(caught.value).endswith(f"Renew it with: {said}")
    (made.path / "manifest.json").write_text("{")
    with pytest.raises(DamagedArtifactError) as caught:
        shoes.open(kind, made.id, space)
    assert str(caught.value).endswith(f"Remove the directory and renew it with: {said}")


def test_what_commands_suggest_has_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["collection=shoes", f"root={tmp_path / 'my root'}"]
    assert main(["show", *words]) == 2
    assert f"nitari ingest collection=shoes root='{tmp_path / 'my root'}' source.path=…" in capsys.readouterr().err
    Collection(tmp_path / "my root", "shoes").path.mkdir(parents=True)
    assert main(["show", *words]) == 0
    assert f"Run: nitari ingest collection=shoes root='{tmp_path / 'my root'}'" in capsys.readouterr().out
    assert main(["release", "list", *words]) == 0
    assert f"Run: nitari build collection=shoes root='{tmp_path / 'my root'}'" in capsys.readouterr().out


def test_clients_of_a_server_do_not_read_where_it_lies(tmp_path: Path):
    here = Context.__new__(Context)
    here.settings = Settings("shoes", str(tmp_path))
    with pytest.raises(ArtifactError) as caught:
        Collection(tmp_path, "shoes").release()
    assert str(tmp_path) in str(caught.value)
    assert here.told(str(caught.value)).endswith("Run: nitari build collection=shoes")
