import json
from pathlib import Path

import pytest

from nitari.serve import doctor


def test_finds_what_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert doctor.main([f"root={tmp_path / 'not' / 'yet'}", "format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cores"] >= 1
    assert found["packages"]["nmslib"]
    assert found["disk"]["free"] > 0


def test_an_absent_extra_is_a_note_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(doctor.NEEDS, "samples", {"no-such-package": "no_such_module"})
    found = doctor.examine(tmp_path)
    assert {
        "severity": "note",
        "what": "extra 'samples' lacks no-such-package",
        "remedy": "pip install 'nitari[samples]'",
    } in found["missing"]
    assert "Remedy: pip install 'nitari[samples]'" in doctor.table(found)


def test_a_package_that_does_not_load_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(name: str) -> None:
        raise ImportError("libgone.so is missing")

    monkeypatch.setattr(doctor, "import_module", broken)
    missing = doctor.examine(tmp_path)["missing"]
    assert any(entry["severity"] == "error" and "libgone.so" in entry["what"] for entry in missing)
