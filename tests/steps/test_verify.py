import json
import os
import shutil

import pytest

from nitari.artifact import Manifest
from nitari.collection import Collection
from nitari.errors import ArtifactError, DamagedArtifactError
from nitari.steps.build import build
from nitari.steps.verify import verify

HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "M": 8, "ef_construction": 40, "ef_search": 100, "threads": 1}
EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, 60)
    space_of(collection, catalog, "encoder")
    space_of(collection, catalog, "place", metric="l2", seed=1)
    build(collection, HNSW, text=["file_name"])
    return collection


def repin(artifact, role, parent):
    """Rewrites a manifest as if it had been published so."""
    parents = artifact.manifest.parents | {role: parent.reference}
    manifest = Manifest(**{**artifact.manifest.__dict__, "parents": parents})
    (artifact.path / "manifest.json").write_text(manifest.text)
    return type(artifact)(artifact.path, manifest)


def test_all_is_well(collection):
    seen = []
    found = verify(collection, full=True, progress=lambda done, total: seen.append((done, total)))
    assert found.problems == []
    assert found.release == collection.current
    assert found.artifacts == 8
    assert seen[-1] == (found.files, found.files)
    assert found == verify(collection)


def test_every_damage_is_named_with_what_renews_it(collection):
    release = collection.release()
    graph = collection.pinned(release, "index:encoder").path / "graph.nmslib"
    data = bytearray(graph.read_bytes())
    data[100] ^= 1
    graph.write_bytes(data)
    (collection.pinned(release, "embeddings:place").path / "vectors.npy").unlink()
    shutil.rmtree(collection.pinned(release, "text").path)
    found = verify(collection)
    assert len(found.problems) == 3
    text = "\n".join(found.problems)
    assert "'graph.nmslib' has sha256" in text
    assert "nitari build collection=shoes" in text
    assert "lacks its file 'vectors.npy'. Renew it with: nitari extract collection=shoes" in text
    assert "text: There is no text at" in text
    with pytest.raises(DamagedArtifactError, match=r"vectors\.npy"):
        found.check()


def test_only_full_reads_what_looks_untouched(collection):
    file = collection.pinned(collection.release(), "embeddings:encoder").path / "vectors.npy"
    stat = file.stat()
    with file.open("r+b") as out:
        out.seek(200)
        out.write(b"\xff")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert verify(collection).problems == []
    assert "'vectors.npy' has sha256" in verify(collection, full=True).problems[0]
    assert "'vectors.npy' has sha256" in verify(collection).problems[0]  # what was found bad is not remembered as good


def test_parts_that_do_not_belong_together(collection, catalog_of, space_of):
    release = collection.release()
    other = catalog_of(collection, 61)
    stray = space_of(collection, other, "encoder", seed=5)
    mixed = repin(release, "embeddings:encoder", stray)
    found = verify(collection, mixed.id)
    text = "\n".join(found.problems)
    assert "embeddings:encoder: embeddings" in text
    assert "was made from catalog" in text
    assert "index:encoder: index" in text
    assert "holds 61 vectors, the catalog 60 items" in text


def test_a_release_that_lacks_an_index(collection):
    release = collection.release()
    parents = {role: pinned for role, pinned in release.manifest.parents.items() if role != "index:place"}
    manifest = Manifest(**{**release.manifest.__dict__, "parents": parents})
    (release.path / "manifest.json").write_text(manifest.text)
    assert "serves space 'place' and pins no index:place" in verify(collection).problems[0]


def test_no_such_release(collection):
    with pytest.raises(ArtifactError, match="There is no release"):
        verify(collection, "nothing")
    (collection.path / "current").unlink()
    with pytest.raises(ArtifactError, match="has no release yet"):
        verify(collection)


def test_what_was_read_is_read_once(collection, monkeypatch):
    read = []
    monkeypatch.setattr("nitari.artifact.sha256_of", lambda path: read.append(path.name) or "")
    assert verify(collection).problems == []
    assert read == []
    stamps = next(collection.folder("catalog").glob(".*.verified"))
    stamps.write_text(json.dumps({}))
    verify(collection)
    assert read == ["catalog.parquet"]
