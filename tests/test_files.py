"""Files: what is read ahead fits into the room there is."""

from pathlib import Path

import pytest

from nitari.files import machine_memory, read_ahead


def test_read_ahead_passes_over_what_does_not_fit(tmp_path: Path):
    files = [tmp_path / name for name in ("first", "large", "last")]
    for file, size in zip(files, (3 << 20, 9 << 20, 1000), strict=True):
        file.write_bytes(bytes(size))
    assert read_ahead(files, 4 << 20) == (3 << 20) + 1000
    assert read_ahead(files, 1 << 30) == (12 << 20) + 1000
    assert read_ahead(files, 0) == 0


def test_read_ahead_of_what_is_not_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_ahead([tmp_path / "gone"], 1)


def test_machine_memory():
    found = machine_memory()
    assert set(found) == {"total", "available"}
    assert found["total"] is None or 0 < (found["available"] or 0) < found["total"]
