import subprocess
import sys

import pytest

from nitari import __version__
from nitari.cli import SERVE, TRAIN, main


def test_overview_names_every_job(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    text = capsys.readouterr().out
    for job in TRAIN + SERVE:
        assert f"  {job} " in text


@pytest.mark.parametrize("job", TRAIN + SERVE)
def test_help_of_each_job_has_commands_and_settings(job: str, capsys: pytest.CaptureFixture[str]):
    assert main([job, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"nitari {job}" in text.split("\n", 1)[1]
    assert "Settings" in text
    assert len(text.splitlines()) > 8


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nitari {__version__}\n"


def test_an_unknown_job_gets_a_suggestion(capsys: pytest.CaptureFixture[str]):
    assert main(["ingets"]) == 2
    assert "Did you mean 'ingest'?" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from nitari.cli import main; main(['fit', '--help']); main([]);"
        "heavy = {'torch', 'hydra', 'mlflow', 'numpy', 'pandas', 'pyarrow', 'yaml', 'nmslib', 'PIL'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_without_the_training_stack():
    """What is served never imports torch, Lightning, Hydra or MLflow."""
    code = (
        "import sys; import nitari.serve.recommend, nitari.serve.show, nitari.serve.doctor, nitari.recommend;"
        "heavy = {'torch', 'hydra', 'omegaconf', 'mlflow', 'pytorch_lightning', 'torchvision'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
