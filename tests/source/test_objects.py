"""Sources in an object store: what they list is what the same files list on a disk."""

import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nitari import storage
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, PictureError, SourceError
from nitari.images.original import read_original
from nitari.source.folder import FolderSource
from nitari.source.table import TableSource
from nitari.source.tar import TarSource
from nitari.steps.ingest import ingest

pytestmark = pytest.mark.filterwarnings("ignore")  # of boto, moto and what they stand on

MakePictures = Callable[..., list[Path]]
SHOWN = ["item_id", "file_name", "offset", "size_bytes", "reason"]


@pytest.fixture
def memory() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec", exc_type=ImportError)
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield "memory://pile"
    system.store.clear()


@pytest.fixture(params=["bucket", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def tree(tmp_path: Path, make_pictures: MakePictures) -> Path:
    root = tmp_path / "tree"
    make_pictures(root / "shoes" / "red", 3, size=(40, 30))
    make_pictures(root / "bags", 2, seed=1, size=(40, 30))
    (root / "shoes" / "empty.jpg").touch()
    (root / ".hidden.jpg").write_bytes(b"x")
    (root / "metadata.csv").write_text("file_name,price\nbags/picture-0000.jpg,3\nbags/lost.jpg,4\n")
    return root


def upload(folder: Path, url: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.upload(path, storage.join(url, path.relative_to(folder).as_posix()))


def same(there: pa.Table, here: pa.Table) -> None:
    names = SHOWN + [name for name in here.column_names if name not in (*SHOWN, "location", "fingerprint", "message")]
    assert there.select(names).to_pydict() == here.select(names).to_pydict()


def test_a_folder_lists_as_on_a_disk(tree: Path, url: str) -> None:
    upload(tree, url)
    source = FolderSource(url + "/")
    listing = source.listing()
    same(listing, FolderSource(str(tree)).listing())
    assert source.about == {"kind": "folder", "path": url}
    row = next(row for row in listing.to_pylist() if row["file_name"] == "bags/picture-0000.jpg")
    assert row["location"] == f"{url}/bags/picture-0000.jpg"
    data = (tree / "bags" / "picture-0000.jpg").read_bytes()
    assert read_original(row["location"], -1, row["size_bytes"], 10**6) == data
    assert read_original(row["location"], -1, row["size_bytes"], 99) == data[:100]
    assert read_original(f"{url}/shoes/empty.jpg", -1, 0, 99) == b""
    storage.write(row["location"], b"changed")
    assert row["fingerprint"] not in FolderSource(url).listing().column("fingerprint").to_pylist()


def test_tars_list_as_on_a_disk_and_members_are_read_by_range(tree: Path, url: str, tmp_path: Path) -> None:
    tars = tmp_path / "tars"
    tars.mkdir()
    for number, folder in enumerate(("shoes/red", "bags")):
        with tarfile.open(tars / f"t-{number:03d}.tar", "w") as tar:
            for path in sorted((tree / folder).iterdir()):
                tar.add(path, path.name)
                (tmp_path / "n.json").write_text(f'{{"n": {number}}}')
                tar.add(tmp_path / "n.json", f"{path.stem}.json")
    upload(tars, url)
    here = TarSource(str(tars)).listing()
    for path in (url, f"{url}/t-*.tar", f"{url}/t-{{000..001}}.tar"):
        there = TarSource(path).listing()
        same(there, here)
    for one, other in zip(there.to_pylist(), here.to_pylist(), strict=True):
        place = one["offset"], one["size_bytes"]
        assert read_original(one["location"], *place) == read_original(other["location"], *place)
    with pytest.raises(PictureError, match="ends within it"):
        read_original(there.column("location")[0].as_py(), 10**6, 10)


def test_a_table_of_paths_lists_as_on_a_disk(tree: Path, url: str) -> None:
    (tree / "table.csv").write_text("path,kind\nbags/picture-0000.jpg,a\nnowhere.jpg,b\n,c\n")
    upload(tree, url)
    there = TableSource(f"{url}/table.csv").listing()
    same(there, TableSource(str(tree / "table.csv")).listing())
    assert there.column("location")[0].as_py() == f"{url}/bags/picture-0000.jpg"
    (tree / "mixed.csv").write_text(f"path\n{url}/bags/picture-0000.jpg\nbags/picture-0001.jpg\nhttp://a/b.jpg\n")
    mixed = TableSource(str(tree / "mixed.csv")).listing()
    assert mixed.column("reason").to_pylist() == [None, None, "missing"]


def test_workers_read_from_a_bucket(tree: Path, bucket: str, tmp_path: Path) -> None:
    upload(tree, bucket)
    made = []
    for name, path in (("here", str(tree)), ("there", bucket)):
        collection = Collection(tmp_path / name, "shoes")
        listing = FolderSource(path).listing()
        made.append(collection.parent(ingest(collection, listing, source_name="main", workers=1), "thumbnails"))
        assert Catalog(collection.latest("catalog")).n_ready == 5
    here, there = ({name: one["sha256"] for name, one in thumbnails.manifest.files.items()} for thumbnails in made)
    assert there == here


@pytest.mark.parametrize("kind", [FolderSource, TarSource, TableSource])
def test_what_is_wrong_is_said(kind: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"nowhere.*"):
        kind(f"{bucket}/nowhere/t.tar" if kind is TarSource else f"{bucket}/nowhere/t.csv").listing()
    with pytest.raises(ConfigError, match=r"has credentials in it.*AWS_ACCESS_KEY_ID"):
        kind("s3://me:secret@bucket/t.csv").listing()
    with pytest.raises(ConfigError, match=r"'ftp://a/t\.csv' is no store"):
        kind("ftp://a/t.csv").listing()


def test_a_store_that_does_not_answer_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(SourceError, match=r"cannot be listed.*AWS_ENDPOINT_URL"):
        FolderSource(f"{bucket}/x").listing()
    with pytest.raises(PictureError, match="cannot be read") as refused:
        read_original(f"{bucket}/x.jpg", -1, 5)
    assert refused.value.reason == "unreadable_file"


def test_local_paths_import_no_fsspec(tree: Path) -> None:
    import subprocess

    code = (
        "import sys; from nitari.source.folder import FolderSource; from nitari.source.tar import TarSource\n"
        f"from nitari.images.original import read_original; FolderSource({str(tree)!r}).listing()\n"
        "sys.exit('fsspec' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
