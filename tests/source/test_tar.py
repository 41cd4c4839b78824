from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nitari.errors import SourceError
from nitari.source.tar import TarSource

WriteTar = Callable[[Path, Mapping[str, bytes]], Path]


def rows(path: Path | str) -> dict[str, dict[str, Any]]:
    return {row["file_name"]: row for row in TarSource(str(path)).listing().to_pylist()}


def test_members_that_share_a_key_become_one_row(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(
        tmp_path / "a.tar",
        {
            "x/1.jpg": b"one",
            "x/1.json": b'{"price": 5, "tags": ["a", "b"]}',
            "x/1.cls": b"3",
            "x/1.npy": b"beside a picture: passed over",
            "x/2.txt": b" a caption \n",
            "x/2.left.jpg": b"left",
            "x/2.right.jpg": b"right",
            "x/3.bin": b"perhaps a picture",
            "x/4.json": b"{}",
            "x/5.json": b"[1]",
            "x/5.png": b"five",
            "x/6.cls": b"six",
        },
    )
    found = rows(tar)
    assert list(found) == [f"a.tar/x/{n}" for n in ("1.jpg", "2.left.jpg", "2.right.jpg", "3.bin", "5.png", "6")]
    assert found["a.tar/x/1.jpg"]["price"] == 5
    assert found["a.tar/x/1.jpg"]["tags"] == '["a", "b"]'
    assert found["a.tar/x/1.jpg"]["cls"] == "3"  # as another shard's cls is a word
    assert found["a.tar/x/2.left.jpg"]["txt"] == found["a.tar/x/2.right.jpg"]["txt"] == "a caption"
    assert found["a.tar/x/5.png"]["json"] == "[1]"
    assert found["a.tar/x/6"]["reason"] == "missing"
    row = found["a.tar/x/2.right.jpg"]
    assert tar.read_bytes()[row["offset"] : row["offset"] + row["size_bytes"]] == b"right"


def test_nothing_leads_out_of_a_tar(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for name, kind in (
            ("../../etc/passwd.jpg", tarfile.REGTYPE),
            ("/etc/shadow.jpg", tarfile.REGTYPE),
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("null.jpg", tarfile.CHRTYPE),
            ("folder.jpg", tarfile.DIRTYPE),
            ("good.jpg", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO())
    reasons = {name: row["reason"] for name, row in rows(tmp_path / "bad.tar").items()}
    assert reasons.pop("bad.tar/good.jpg") is None
    assert len(reasons) == 5
    assert set(reasons.values()) == {"refused"}


def test_a_broken_tar_is_listed_as_far_as_it_goes(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "b.tar", {f"{i}.jpg": bytes(2000) for i in range(5)})
    tar.write_bytes(tar.read_bytes()[:6000])
    write_tar(tmp_path / "c.tar", {"1.jpg": b"x"})
    found = rows(tmp_path)
    assert found["b.tar"]["reason"] == "damaged"
    assert found["c.tar/1.jpg"]["reason"] is None
    (tmp_path / "d.tar").write_bytes(b"not a tar at all" * 100)
    assert rows(tmp_path)["d.tar"]["reason"] == "damaged"


def test_long_and_strange_names(tmp_path: Path, write_tar: WriteTar) -> None:
    long = "folder/" + "x" * 300 + ".jpg"
    assert list(rows(write_tar(tmp_path / "a.tar", {long: b"1", "似たり.png": b"2"}))) == [
        f"a.tar/{long}",
        "a.tar/似たり.png",
    ]


def test_patterns(tmp_path: Path, write_tar: WriteTar) -> None:
    for name in ("train/000", "train/001", "train/010", "val/000"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_tar(tmp_path / f"{name}.tar", {"a.jpg": name.encode()})
    every = {f"{name}.tar/a.jpg" for name in ("train/000", "train/001", "train/010", "val/000")}
    assert set(rows(tmp_path)) == every
    assert set(rows(f"{tmp_path}/*/*.tar")) == every
    assert set(rows(f"{tmp_path}/{{train,val}}/{{000..000}}.tar")) == {"train/000.tar/a.jpg", "val/000.tar/a.jpg"}
    assert set(rows(f"{tmp_path}/train/{{000..001}}.tar")) == {"000.tar/a.jpg", "001.tar/a.jpg"}
    with pytest.raises(SourceError, match=r"002\.tar"):
        rows(f"{tmp_path}/train/{{000..002}}.tar")
    with pytest.raises(SourceError, match="No tar"):
        rows(f"{tmp_path}/nothing-*.tar")


def test_a_compressed_tar_is_an_error_with_a_remedy(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "a.tar", {"a.jpg": b"x"})
    tar.write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(SourceError, match=r"gzip.*decompress"):
        rows(tar)
