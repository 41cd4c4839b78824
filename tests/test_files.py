"""Files: what is read ahead fits into the room there is."""

from pathlib import Path

import pytest

from nitari.files import read_ahead


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Of 3 MiB, 9 MiB and 1,000 bytes."""
    paths = [tmp_path / name for name in ("first", "large", "last")]
    for file, size in zip(paths, (3 << 20, 9 << 20, 1000), strict=True):
        file.write_bytes(bytes(size))
    return paths


def test_what_does_not_fit_is_passed_over(files: list[Path]):
    assert read_ahead(files, 4 << 20) == (3 << 20) + 1000
    assert read_ahead(files, 1 << 30) == (12 << 20) + 1000
    assert read_ahead(files, 0) == 0


def test_it_can_be_stopped(files: list[Path]):
    told = iter([False, False])
    assert read_ahead(files, 1 << 30, lambda: next(told, True)) == 2 << 20


def test_what_is_not_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_ahead([tmp_path / "gone"], 1)
