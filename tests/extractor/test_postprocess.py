from pathlib import Path

import numpy as np
import pytest

from nitari.errors import ConfigError, QueryError
from nitari.extractor.postprocess import PostProcess, fit


def data(n: int = 200, d: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, d)) * np.linspace(5, 0.1, d) + 3).astype(np.float32)


def test_whitening_decorrelates():
    out = fit(data(), pca=6, whiten=True, normalise=False)(data())
    np.testing.assert_allclose(np.cov(out.T), np.eye(6), atol=1e-3)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-3)


def test_half_whitening_is_halfway():
    raw = data()
    plain, half, full = (fit(raw, pca=6, whiten=w, normalise=False)(raw).std(axis=0) for w in (0, 0.5, 1))
    np.testing.assert_allclose(half, np.sqrt(plain * full), rtol=1e-3)
    with pytest.raises(ConfigError, match="whiten is 2"):
        fit(raw, whiten=2)


def test_pca_keeps_distances_when_nothing_is_dropped():
    raw = data()
    out = fit(raw, pca=12, normalise=False)(raw)
    before = np.linalg.norm(raw[:1] - raw[1:], axis=1)
    np.testing.assert_allclose(np.linalg.norm(out[:1] - out[1:], axis=1), before, rtol=1e-4)


def test_unit_length_and_round_trip(tmp_path: Path):
    post = fit(data(), pca=5, whiten=True)
    np.testing.assert_allclose(np.linalg.norm(post(data()), axis=1), 1, atol=1e-5)
    post.save(tmp_path / "p.safetensors")
    again = PostProcess.load(tmp_path / "p.safetensors")
    assert again.digest == post.digest
    assert np.array_equal(again(data()), post(data()))
    assert (again.dim, again.normalise) == (5, True)


def test_the_same_data_gives_the_same_numbers_and_more_gives_others():
    assert fit(data(), pca=4).digest == fit(data(), pca=4).digest != fit(data(150), pca=4).digest


def test_few_items_cap_the_dimension():
    assert fit(data(4), pca=8).dim == 3
    with pytest.raises(ConfigError, match="there are 1"):
        fit(data(1), pca=8)


def test_refuses_another_width():
    with pytest.raises(QueryError, match="fitted on 12"):
        fit(data())(np.zeros((1, 3), np.float32))
