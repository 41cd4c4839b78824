import json
import shutil

import pytest

from nitari import storage
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError, DamagedArtifactError
from nitari.recommend.recommender import Recommender
from nitari.serve import pull as pull_command
from nitari.serve import push as push_command
from nitari.steps.build import build
from nitari.steps.transfer import pull, push
from nitari.steps.verify import verify

pytestmark = pytest.mark.filterwarnings("ignore")  # of boto, moto and what they stand on

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path / "here", "shoes")
    catalog = catalog_of(collection, 60)
    space_of(collection, catalog, "encoder")
    space_of(collection, catalog, "place", metric="l2", seed=1)
    build(collection, EXACT, text=["file_name"])
    return collection


@pytest.fixture
def other(tmp_path):
    return Collection(tmp_path / "there", "shoes")


def manifests(collection):
    return {path.parent.name: path.read_text() for path in collection.path.glob("**/manifest.json")}


def test_a_release_comes_back_as_it_was(collection, other, bucket):
    Changes(collection).remove([f"{7:016x}"])
    sent = push(collection, f"{bucket}/a")
    assert sent.release == collection.current
    assert sent.kept == 0
    got = pull(other, f"{bucket}/a")
    assert got.files == sent.files
    assert got.bytes == sent.bytes
    assert other.current == collection.current
    assert verify(other, full=True).problems == []
    pinned = {pin["id"] for pin in collection.release().manifest.parents.values()} | {collection.current}
    assert manifests(other) == {name: text for name, text in manifests(collection).items() if name in pinned}
    assert Changes(other).removed() == Changes(collection).removed()
    assert [entry["by"] for entry in other.switches()] == ["pull"]
    assert not list((other.path / "work").iterdir())
    Recommender.open(other)


def test_only_what_is_new_goes_over_the_network(collection, other, bucket):
    push(collection, bucket)
    pull(other, bucket)
    assert push(collection, bucket).bytes == 0
    assert pull(other, bucket).bytes == 0
    first = collection.current
    build(collection, EXACT, text=["file_name"], weights={"encoder": 0.3, "place": 1})
    assert push(collection, bucket).files <= 1
    assert pull(other, bucket, switch=False).files <= 1
    assert other.current == first
    assert pull(other, bucket).release == collection.current == other.current
    assert pull(other, bucket, first).release == first == other.current
    assert push(collection, bucket, full=True).kept == 0


def test_files_that_other_artifacts_share_are_not_fetched(collection, other, bucket):
    push(collection, bucket)
    shutil.copytree(collection.folder("embeddings"), other.folder("embeddings"))
    got = pull(other, bucket)
    vectors = [collection.pinned(collection.release(), f"embeddings:{name}") for name in ("encoder", "place")]
    saved = sum(entry["size"] for one in vectors for entry in one.manifest.files.values())
    assert got.bytes == push(collection, bucket, full=True).bytes - saved


def test_what_was_killed_goes_on_and_is_never_seen_half(collection, other, bucket, monkeypatch):
    upload, download, count = storage.upload, storage.download, [0]

    def failing(of):
        def limited(*arguments):
            count[0] += 1
            if count[0] == 4:
                raise KeyboardInterrupt
            of(*arguments)

        return limited

    monkeypatch.setattr(storage, "upload", failing(upload))
    with pytest.raises(KeyboardInterrupt):
        push(collection, bucket, threads=1)
    with pytest.raises(ArtifactError, match="nitari push"):
        pull(other, bucket)
    assert not other.path.exists()
    count[0] = 10
    sent = push(collection, bucket, threads=1)
    assert sent.kept >= 3
    count[0] = 0
    monkeypatch.setattr(storage, "download", failing(download))
    with pytest.raises(KeyboardInterrupt):
        pull(other, bucket, threads=1)
    assert other.current is None
    assert not any(other.folders(kind) for kind in ("release", "catalog", "embeddings", "index"))
    got = pull(other, bucket, threads=1)
    assert 0 < got.files <= sent.files + sent.kept - 3
    assert verify(other, full=True).problems == []


def test_a_damaged_blob_is_refused_and_pushed_again(collection, other, bucket):
    push(collection, bucket)
    vectors = collection.pinned(collection.release(), "embeddings:encoder").manifest.files["vectors.npy"]
    blob = f"{bucket}/shoes/blobs/{vectors['sha256']}"
    storage.write(blob, bytes(vectors["size"]))
    with pytest.raises(DamagedArtifactError, match=r"its sha256 is .*full=true"):
        pull(other, bucket)
    assert other.current is None
    push(collection, bucket, full=True)
    pull(other, bucket)
    file = other.pinned(other.release(), "embeddings:encoder").path / "vectors.npy"
    file.write_bytes(file.read_bytes()[:-1])
    pull(other, bucket)  # what is damaged here is fetched again
    assert verify(other).problems == []


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "manifest.json"])
def test_manifests_lead_nowhere_else(collection, other, bucket, name):
    push(collection, bucket)
    release = collection.release()
    manifest = release.manifest
    changed = type(manifest)(**{**manifest.__dict__, "files": {name: {"sha256": "0" * 64, "size": 1}}})
    storage.write(f"{bucket}/shoes/releases/{release.id}/manifest.json", changed.text.encode())
    with pytest.raises(DamagedArtifactError, match="leads out of it"):
        pull(other, bucket)
    storage.write(f"{bucket}/shoes/current", b"../..\n")
    with pytest.raises(DamagedArtifactError, match="is no id"):
        pull(other, bucket)
    assert not other.path.exists()


def test_what_is_wrong_is_said(collection, bucket):
    with pytest.raises(ConfigError, match="is no store"):
        push(collection, "somewhere")
    with pytest.raises(ConfigError, match="has credentials in it"):
        push(collection, "s3://a:b@bucket")
    with pytest.raises(ArtifactError, match=r"cannot be reached|nothing at"):
        push(collection, "s3://no-such-bucket-anywhere/x")
    with pytest.raises(ConfigError, match="threads is 0"):
        push(collection, bucket, threads=0)


def test_the_commands(collection, other, bucket, capsys):
    words = ["collection=shoes", "format=json"]
    assert push_command.main([*words, f"to={bucket}", f"root={collection.path.parent}"]) == 0
    sent = json.loads(capsys.readouterr().out)
    assert sent["bytes"] > 0
    assert pull_command.main(["collection=shoes", f"from={bucket}", f"root={other.path.parent}"]) == 0
    assert f"Fetched release {collection.current}, {sent['artifacts']} artifacts" in capsys.readouterr().out
