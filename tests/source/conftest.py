"""A small fixture for each choice of conf/source: what to instantiate it with, and what it then lists."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MakePictures = Callable[..., list[Path]]


class Case(NamedTuple):
    arguments: dict[str, Any]
    items: int
    columns: list[str]


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def _folder(tmp: Path, make_pictures: MakePictures) -> Case:
    paths = make_pictures(tmp / "tree" / "a", 3) + make_pictures(tmp / "tree" / "b", 2, seed=1)
    rows = [f"{path.relative_to(tmp / 'tree').as_posix()},{i},c{i % 2}" for i, path in enumerate(paths)]
    (tmp / "tree" / "metadata.csv").write_text("\n".join(["file_name,price,label", *rows]))
    return Case({"path": str(tmp / "tree")}, 5, ["folder", "price", "label"])


def _tar(tmp: Path, make_pictures: MakePictures) -> Case:
    members: dict[str, bytes] = {}
    for i, path in enumerate(make_pictures(tmp / "loose", 4)):
        members[f"{i:04d}{path.suffix}"] = path.read_bytes()
        members[f"{i:04d}.json"] = json.dumps({"price": i}).encode()
        members[f"{i:04d}.cls"] = str(i % 2).encode()
    write_tar(tmp / "shard-000.tar", members)
    return Case({"path": str(tmp / "shard-{000..000}.tar")}, 4, ["price", "cls"])


def _table(tmp: Path, make_pictures: MakePictures) -> Case:
    paths = make_pictures(tmp / "loose", 3)
    rows = [f"loose/{path.name},{i}" for i, path in enumerate(paths)]
    (tmp / "pictures.csv").write_text("\n".join(["path,price", *rows]))
    return Case({"path": str(tmp / "pictures.csv")}, 3, ["price"])


def _sample(tmp: Path, make_pictures: MakePictures) -> Case:
    pytest.importorskip("importlib.metadata").distribution("diagrams")
    return Case({}, 2457, ["provider", "category"])


def _torchvision(tmp: Path, make_pictures: MakePictures) -> Case:
    arguments = {"size": 3, "image_size": [3, 8, 8], "num_classes": 2}
    return Case({"name": "FakeData", "folder": str(tmp / "fake"), "arguments": arguments}, 3, ["label"])


CASES = {"folder": _folder, "tar": _tar, "table": _table, "sample": _sample, "torchvision": _torchvision}


@pytest.fixture
def make_case(tmp_path: Path, make_pictures: MakePictures) -> Callable[[str], Case]:
    def make(choice: str) -> Case:
        if choice not in CASES:
            pytest.fail(f"conf/source/{choice}.yaml has no fixture: add one to tests/source/conftest.py")
        return CASES[choice](tmp_path, make_pictures)

    return make


@pytest.fixture(name="write_tar")
def write_tar_fixture() -> Callable[[Path, Mapping[str, bytes]], Path]:
    return write_tar
