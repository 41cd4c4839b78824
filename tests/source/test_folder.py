from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari.errors import SourceError
from nitari.source.folder import FolderSource


def rows(path: Path) -> dict[str, dict[str, Any]]:
    return {row["file_name"]: row for row in FolderSource(str(path)).listing().to_pylist()}


def test_loose_ends_are_listed(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.jpg").write_bytes(b"x")
    (root / "deep" / "er" / "there.jpg").write_bytes(b"1")
    (root / "notes.txt").write_text("not a picture, which is found out when it is read")
    (tmp_path / "secret.jpg").write_bytes(b"s")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "in.jpg").symlink_to(root / "deep" / "er" / "there.jpg")
    (root / "loop").symlink_to(root)
    (root / "broken.jpg").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe")
    (root / "metadata.csv").write_text("file_name,label\ndeep/er/there.jpg,a\ngone.jpg,b\n../secret.jpg,c\n")
    found = rows(root)
    reasons = {name: row["reason"] for name, row in found.items()}
    assert reasons == {
        "deep/er/there.jpg": None,
        "in.jpg": None,
        "notes.txt": None,
        "out.jpg": "refused",
        "loop": "refused",
        "broken.jpg": "missing",
        "pipe": "refused",
        "gone.jpg": "missing",
        "../secret.jpg": "refused",
    }
    assert {name: row["label"] for name, row in found.items() if row["label"]} == {
        "deep/er/there.jpg": "a",
        "gone.jpg": "b",
        "../secret.jpg": "c",
    }
    assert found["deep/er/there.jpg"]["folder"] == "deep/er"
    assert found["notes.txt"]["folder"] is None


def test_metadata_keeps_its_types(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "b.jpg").write_bytes(b"b")
    (tmp_path / "metadata.csv").write_text(
        "file_name,n,x,ok,code,word,none,width\na.jpg,1,0.5,true,007,NA,,9\nb.jpg,-2,1e3,False,010,,,8\n"
    )
    table = FolderSource(str(tmp_path)).listing()
    kinds = {name: table.schema.field(name).type for name in table.column_names[9:]}
    assert kinds == {
        "n": pa.int64(),
        "x": pa.float64(),
        "ok": pa.bool_(),
        "code": pa.string(),
        "word": pa.string(),
        "none": pa.string(),
        "source_width": pa.int64(),
    }
    assert table.column("code").to_pylist() == ["007", "010"]
    assert table.column("word").to_pylist() == ["NA", None]


def test_metadata_in_several_folders_and_forms(tmp_path: Path) -> None:
    for folder in ("train", "test", "val"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(folder.encode())
    (tmp_path / "train" / "metadata.jsonl").write_text('{"file_name": "a.jpg", "box": [1, 2], "n": 1}\n')
    pq.write_table(pa.table({"file_name": ["a.jpg"], "n": ["x"]}), tmp_path / "test" / "metadata.parquet")
    (tmp_path / "val" / "metadata.csv").write_text("name\nsomething else\n")
    found = rows(tmp_path)
    assert {name: (row["n"], row["box"]) for name, row in found.items()} == {
        "train/a.jpg": ("1", "[1, 2]"),
        "test/a.jpg": ("x", None),
        "val/a.jpg": (None, None),
        "val/metadata.csv": (None, None),
    }


def test_json_lines_that_do_not_agree(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "b.jpg").write_bytes(b"b")
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "a.jpg", "n": 1}\nnonsense\n{"file_name": "b.jpg", "n": "x"}\n'
    )
    assert {name: row["n"] for name, row in rows(tmp_path).items()} == {"a.jpg": "1", "b.jpg": "x"}


def test_a_row_that_repeats_a_file_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "metadata.csv").write_text("file_name,label\na.jpg,first\na.jpg,second\nx.jpg,\nx.jpg,\n")
    assert {name: row["label"] for name, row in rows(tmp_path).items()} == {"a.jpg": "first", "x.jpg": None}


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb") as file:
        file.write(b"x")
    (row,) = FolderSource(str(tmp_path)).listing().to_pylist()
    assert row["reason"] == "refused"


def test_a_changed_file_has_another_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    before = rows(tmp_path)["a.jpg"]
    os.utime(tmp_path / "a.jpg", ns=(0, 1))
    after = rows(tmp_path)["a.jpg"]
    assert before["item_id"] == after["item_id"]
    assert before["fingerprint"] != after["fingerprint"]


def test_nothing_to_list(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no files"):
        FolderSource(str(tmp_path)).listing()
    with pytest.raises(SourceError, match="does not exist"):
        FolderSource(str(tmp_path / "x")).listing()
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="not a folder"):
        FolderSource(str(tmp_path / "file")).listing()


def test_metadata_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(SourceError, match=r"metadata\.parquet"):
        FolderSource(str(tmp_path)).listing()
