import json
import tomllib
from pathlib import Path

import pytest

from nitari.serve import doctor, extras

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch):
    """Sets what nitari's metadata require, for as long as a test runs."""
    real = extras.metadata.requires

    def given(*requirements: str) -> None:
        monkeypatch.setattr(
            extras.metadata, "requires", lambda name: list(requirements) if name == "nitari" else real(name)
        )

    return given


def test_finds_what_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert doctor.main([f"root={tmp_path / 'not' / 'yet'}", "format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cores"] >= 1
    assert found["packages"]["nmslib"]
    assert found["extras"]["serve"]["works"]
    assert found["extras"]["serve"]["parts"]["nmslib"]["imported"]
    assert found["disk"]["free"] > 0


def test_every_extra_of_the_project_is_listed_with_its_command(tmp_path: Path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = set(project["optional-dependencies"]) - {"dev"}
    assert names == set(extras.PURPOSES)
    requirements = [
        f'{text.partition(";")[0]}; extra == "{extra}"'
        for extra, texts in project["optional-dependencies"].items()
        for text in texts
    ]
    assert set(extras.needs(requirements)) == names
    assert extras.needs(requirements)["index"] == ["faiss-cpu", "ngt"]
    text = doctor.table(doctor.examine(tmp_path))
    for name in names:
        assert f"pip install 'nitari[{name}]'" in text


def test_an_absent_extra_is_a_note_with_a_remedy(tmp_path: Path, required):
    required('no-such-package>=1; extra == "samples"', "numpy>=2")
    found = doctor.examine(tmp_path)
    assert found["missing"] == [
        {
            "severity": "note",
            "what": "extra 'samples' lacks no-such-package",
            "remedy": "pip install 'nitari[samples]'",
        }
    ]
    lines = doctor.table(found).splitlines()
    assert any(line.split()[:2] == ["samples", "absent"] and "pip install 'nitari[samples]'" in line for line in lines)
    assert any("no-such-package (absent)" in line for line in lines)
    assert lines[-1] == "Nothing is missing but the extras that are absent."


def test_what_is_there_in_part_is_said(tmp_path: Path, required):
    required('no-such-package>=1; extra == "index"', 'safetensors; extra == "index"')
    assert any(line.split()[:2] == ["index", "partly"] for line in doctor.table(doctor.examine(tmp_path)).splitlines())


@pytest.mark.parametrize(("extra", "severity", "status"), [("serve", "error", 1), ("index", "warning", 0)])
def test_a_package_that_does_not_load_is_named(tmp_path, monkeypatch, required, capsys, extra, severity, status):
    required(f'safetensors>=0.5; extra == "{extra}"')
    monkeypatch.setattr(extras, "problem", lambda module: "ImportError: libgone.so is missing")
    assert doctor.main([f"root={tmp_path}"]) == status
    text = capsys.readouterr().out
    assert any(line.split()[:2] == [extra, "broken"] for line in text.splitlines())
    assert f"{severity.capitalize()}: 'safetensors' of the extra '{extra}' is installed and does not load: " in text
    assert "Remedy: pip install --force-reinstall safetensors" in text


def test_a_module_is_tried_in_a_process_of_its_own():
    assert extras.problem("json") is None
    assert extras.problem("no_such_module") == "ModuleNotFoundError: No module named 'no_such_module'"
    assert extras.problem("os; os.abort()") == "the process ended with -6"


def test_with_full_every_module_is_imported(required):
    required('pyyaml; extra == "ray"', 'no-such-package; extra == "ray"')
    extras._MODULES["pyyaml"] = "yaml"
    try:
        assert not extras.extras()[0].parts["pyyaml"].imported
        assert extras.extras(full=True)[0].parts["pyyaml"].imported
    finally:
        del extras._MODULES["pyyaml"]
