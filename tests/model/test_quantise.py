from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nitari.model import create, quantise
from nitari.model.export import export
from nitari.model.quantise import _codes


@pytest.fixture
def exported(tiny: dict[str, Any], tmp_path: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        export(create(tiny).eval(), tmp_path / "encoder.onnx")
    return tmp_path / "encoder.onnx"


def test_codes_stay_all_but_the_same(exported: Path, squares: np.ndarray):
    before = exported.read_bytes()
    codes = _codes(exported, [squares])
    agreement = quantise.quantise(exported, squares)
    assert agreement is not None
    assert agreement > quantise.AGREEMENT
    assert exported.read_bytes() != before
    after = _codes(exported, [squares])
    assert after.shape == codes.shape
    codes, after = codes - codes.mean(0), after - codes.mean(0)
    cosine = (codes * after).sum(1) / np.linalg.norm(codes, axis=1) / np.linalg.norm(after, axis=1)
    assert cosine.mean() == pytest.approx(agreement, abs=1e-5)


def test_an_encoder_that_would_suffer_stays_as_it_was(
    exported: Path, squares: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    before = exported.read_bytes()
    monkeypatch.setattr(quantise, "AGREEMENT", 1.1)
    assert quantise.quantise(exported, squares) is None
    assert exported.read_bytes() == before
    assert "stays as it was" in caplog.text


def test_a_network_that_cannot_be_quantised_stays_too(
    tmp_path: Path, squares: np.ndarray, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "encoder.onnx"
    path.write_bytes(b"this is no network")
    assert quantise.quantise(path, squares) is None
    assert path.read_bytes() == b"this is no network"
    assert "was not brought to 8 bits" in caplog.text
