import json
from pathlib import Path

import pytest

from nitari.artifact import Artifact, open_artifact, publish
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError


def make(tmp_path: Path, kind: str = "catalog", text: str = "hello", **more) -> Artifact:
    work = tmp_path / "work"
    (work / "deep").mkdir(parents=True)
    (work / "a.txt").write_text(text)
    (work / "deep" / "b.txt").write_text("b")
    return publish(work, tmp_path / kind, kind, **more)


def test_publish_then_open(tmp_path: Path):
    made = make(tmp_path, counts={"total": 1}, config={"k": [1, 2]})
    opened = open_artifact(made.path, "catalog")
    assert opened.manifest == made.manifest
    assert opened.manifest.digest == made.manifest.digest
    assert set(opened.manifest.files) == {"a.txt", "deep/b.txt"}
    opened.verify(full=True)
    assert not (tmp_path / "work").exists()


def test_a_damaged_file_is_named(tmp_path: Path):
    made = make(tmp_path)
    (made.path / "a.txt").write_text("hellO")
    with pytest.raises(DamagedArtifactError, match=r"a\.txt.*sha256"):
        open_artifact(made.path, "catalog").file("a.txt")
    (made.path / "a.txt").write_text("longer than before")
    with pytest.raises(DamagedArtifactError, match="18 bytes, not 5"):
        open_artifact(made.path, "catalog").verify()
    (made.path / "a.txt").unlink()
    with pytest.raises(DamagedArtifactError, match="lacks"):
        open_artifact(made.path, "catalog").verify()


def test_a_changed_manifest_is_another_artifact(tmp_path: Path):
    parent = make(tmp_path, "thumbnails")
    child = make(tmp_path, parents={"thumbnails": parent})
    child.expect_parent("thumbnails", parent)
    other = make(tmp_path, "thumbnails", "other")
    with pytest.raises(ArtifactError, match="was made from thumbnails"):
        child.expect_parent("thumbnails", other)


def test_refuses_other_kinds_versions_and_names(tmp_path: Path):
    made = make(tmp_path)
    with pytest.raises(ArtifactError, match="not 'encoder'"):
        open_artifact(made.path, "encoder")
    values = json.loads((made.path / "manifest.json").read_text())
    (made.path / "manifest.json").write_text(json.dumps({**values, "format_version": 99}))
    with pytest.raises(ArtifactError, match="format 99"):
        open_artifact(made.path, "catalog")
    (made.path / "manifest.json").write_text("{")
    with pytest.raises(DamagedArtifactError, match="cannot be read"):
        open_artifact(made.path, "catalog")
    moved = made.path.rename(made.path.with_name("renamed"))
    (moved / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(DamagedArtifactError, match="not renamed"):
        open_artifact(moved, "catalog")


@pytest.mark.parametrize(
    "change", [('"kind"', '"kinds"'), (": {", ":  {"), ('"created": "2', '"created": "3'), ("}", "")]
)
def test_a_changed_manifest_is_refused(tmp_path: Path, change: tuple[str, str]):
    made = make(tmp_path)
    file = made.path / "manifest.json"
    file.write_text(file.read_text().replace(*change, 1))
    with pytest.raises(DamagedArtifactError, match="manifest of"):
        open_artifact(made.path, "catalog")


def test_a_damaged_current_is_refused(tmp_path: Path):
    collection = Collection(tmp_path, "shoes")
    collection.path.mkdir()
    assert collection.current is None
    for text in (b"", b"\0\0\0", b"../..\n", b"2026\xff\n"):
        (collection.path / "current").write_bytes(text)
        with pytest.raises(DamagedArtifactError, match="nitari build collection=shoes"):
            collection.release()


def test_collection_finds_and_follows(tmp_path: Path):
    collection = Collection(tmp_path / "collections", "shoes")
    with pytest.raises(ArtifactError, match="nitari ingest collection=shoes"):
        collection.latest("catalog")
    work = collection.work("ingest", {"a": 1})
    assert work == collection.work("ingest", {"a": 1}) != collection.work("ingest", {"a": 2})
    (work / "x").write_text("x")
    thumbnails = publish(work, collection.folder("thumbnails"), "thumbnails")
    work = collection.work("ingest", {"a": 1})
    catalog = publish(work, collection.folder("catalog"), "catalog", parents={"thumbnails": thumbnails})
    assert collection.latest("catalog").id == catalog.id
    assert collection.parent(catalog, "thumbnails").id == thumbnails.id
    with pytest.raises(ArtifactError, match="no release"):
        collection.release()


def test_one_process_at_a_time(tmp_path: Path):
    collection = Collection(tmp_path, "shoes")
    with collection.lock("ingest"), pytest.raises(ArtifactError, match="Another 'ingest'"), collection.lock("ingest"):
        pass
    with collection.lock("ingest"):
        pass


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b"])
def test_names_that_could_leave_the_root(tmp_path: Path, name: str):
    with pytest.raises(ConfigError):
        Collection(tmp_path, name)


def test_an_unknown_collection_lists_the_known(tmp_path: Path):
    (tmp_path / "bags").mkdir()
    with pytest.raises(ArtifactError, match="There are: bags"):
        Collection.existing(tmp_path, "shoes")
