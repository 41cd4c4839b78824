from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from nitari.errors import SourceError
from nitari.source.torchvision import TorchvisionSource


def test_original_files_are_kept_where_the_set_names_them(
    tmp_path: Path, make_pictures: Callable[..., list[Path]]
) -> None:
    pytest.importorskip("torchvision")
    paths = make_pictures(tmp_path / "data" / "cat", 2) + make_pictures(tmp_path / "data" / "dog", 1, seed=1)
    source = TorchvisionSource("ImageFolder", str(tmp_path / "out"), data=str(tmp_path / "data"))
    listing = source.listing()
    assert listing.column("label").to_pylist() == ["cat", "cat", "dog"]
    assert listing.column("size_bytes").to_pylist() == [path.stat().st_size for path in paths]


def test_splits_become_a_column(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    write_mnist(tmp_path / "data")
    listing = TorchvisionSource("MNIST", str(tmp_path / "out"), str(tmp_path / "data"), ["train", "test"]).listing()
    assert listing.column("split").to_pylist() == ["train", "train", "test"]
    assert listing.column("label").to_pylist() == ["3 - three", "7 - seven", "0 - zero"]


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(SourceError, match="Flowers102"):
        TorchvisionSource("Flower", str(tmp_path)).listing()
    with pytest.raises(SourceError, match=r"FakeData.*no split 'val'"):
        TorchvisionSource("FakeData", str(tmp_path), splits=["val"]).listing()
    with pytest.raises(SourceError, match="cannot be opened"):
        TorchvisionSource("Flowers102", str(tmp_path), download=False).listing()
    assert not list(tmp_path.glob("*.tar"))


def write_mnist(root: Path) -> None:
    """Two training pictures and one test picture in MNIST's own file format."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, labels in (("train", [3, 7]), ("t10k", [0])):
        n = len(labels)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, n, 28, 28) + bytes(n * 28 * 28))
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, n) + bytes(labels))
