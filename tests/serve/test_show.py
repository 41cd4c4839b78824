import json
from pathlib import Path

import pytest

from nitari.artifact import Artifact, publish
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.serve.show import main, size
from nitari.steps.status import stale, status


def put(collection: Collection, kind: str, space: str | None = None, **more) -> Artifact:
    work = collection.work(kind, {"space": space})
    (work / "data").write_text(kind)
    return publish(work, collection.folder(kind, space), kind, **more)


@pytest.fixture
def shoes(tmp_path: Path) -> Collection:
    return Collection(tmp_path, "shoes")


def grow(shoes: Collection) -> dict[str, Artifact]:
    """A whole way through, of empty artifacts."""
    thumbnails = put(shoes, "thumbnails")
    counts = {"total": 3, "ready": 2, "unreadable": 1, "gone": 0}
    catalog = put(shoes, "catalog", parents={"thumbnails": thumbnails}, counts=counts)
    encoder = put(shoes, "encoder", parents={"catalog": catalog})
    info = {"space": {"name": "encoder", "metric": "cosine", "dim": 8, "dtype": "float32"}, "extractor": {}}
    embeddings = put(shoes, "embeddings", "encoder", parents={"catalog": catalog, "encoder": encoder}, info=info)
    index = put(shoes, "index", "encoder", parents={"embeddings": embeddings})
    parents = {"catalog": catalog, "embeddings:encoder": embeddings, "index:encoder": index}
    release = put(shoes, "release", parents=parents)
    shoes.switch(release)
    return {"catalog": catalog, "release": release}


def renewals(shoes: Collection) -> list[str]:
    return [entry.renew for entry in stale(shoes)]


def test_stale_follows_the_way_through(shoes: Collection):
    assert renewals(shoes) == ["nitari ingest collection=shoes source.path=…"]
    made = grow(shoes)
    assert renewals(shoes) == []
    put(shoes, "catalog", parents={}, counts=made["catalog"].manifest.counts)
    assert renewals(shoes) == ["nitari extract collection=shoes extractor=encoder", "nitari build collection=shoes"]


def test_a_new_encoder_makes_its_space_stale(shoes: Collection):
    grow(shoes)
    put(shoes, "encoder", parents={})
    entries = stale(shoes)
    assert [entry.what for entry in entries] == ["embeddings/encoder", "release"]
    assert "made from encoder" in entries[0].why


def test_shows_one_json_document(shoes: Collection, capsys: pytest.CaptureFixture[str]):
    made = grow(shoes)
    assert main(["collection=shoes", f"root={shoes.path.parent}", "format=json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["collection"] == "shoes"
    assert shown["items"] == {"total": 3, "ready": 2, "unreadable": 1, "gone": 0}
    assert shown["spaces"]["encoder"]["dim"] == 8
    assert shown["release"]["id"] == made["release"].id
    assert shown["stale"] == []
    assert status(shoes)["bytes"] > 0


def test_the_table_and_the_list(shoes: Collection, capsys: pytest.CaptureFixture[str]):
    made = grow(shoes)
    main(["collection=shoes", f"root={shoes.path.parent}"])
    text = capsys.readouterr().out
    assert "3 items (2 ready, 1 unreadable)" in text
    assert made["release"].id in text
    assert "Nothing is stale." in text
    main([f"root={shoes.path.parent}"])
    assert capsys.readouterr().out == "shoes\n"


def test_errors_name_the_remedy(tmp_path: Path):
    with pytest.raises(ArtifactError, match="no collection 'bags'"):
        main(["collection=bags", f"root={tmp_path}"])
    with pytest.raises(ConfigError, match="Choose one of: table, json"):
        main(["format=xml"])


def test_sizes():
    assert [size(n) for n in (0, 999, 1500, 2.5e9)] == ["0 B", "999 B", "1.5 kB", "2.5 GB"]
