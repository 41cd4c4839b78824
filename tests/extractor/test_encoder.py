import shutil
from pathlib import Path

import numpy as np
import pytest

from nitari.artifact import Artifact, publish
from nitari.errors import ConfigError, DamagedArtifactError
from nitari.extractor import create
from nitari.extractor.encoder import ONNX, POSTPROCESS, EncoderExtractor, average
from nitari.extractor.postprocess import PostProcess, fit
from nitari.model.canvas import canvas


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (9 + i, 12, 3)).astype(np.uint8) for i in range(20)]


@pytest.fixture
def finished(tiny_encoder: Path, tmp_path: Path, images: list[np.ndarray]) -> Path:
    """The same network, mirror-averaged, with post-processing."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(tiny_encoder / ONNX, work / ONNX)
    plain = EncoderExtractor(tiny_encoder, mirror=True, raw=True)
    fit(plain.extract(images), pca=5, whiten=True).save(work / POSTPROCESS)
    info = {"side": 8, "fit": "pad", "mirror": True, "dim": 12, "model": {}}
    return publish(work, tmp_path / "encoders", "encoder", info=info).path


def test_vectors_are_resized_mirrored_and_post_processed(finished: Path, images: list[np.ndarray]):
    extractor = EncoderExtractor(finished, batch=7)
    assert (extractor.side, extractor.space.dim, extractor.space.metric) == (8, 5, "cosine")
    squares = canvas(images, 8, "pad")
    run = EncoderExtractor(finished, raw=True, mirror=False)._run
    codes = (run(squares) + run(squares[:, :, ::-1])) / 2
    expected = PostProcess.load(finished / POSTPROCESS)(codes)
    np.testing.assert_allclose(extractor.extract(images), expected, atol=1e-5)


def test_a_mirrored_picture_has_the_same_vector(finished: Path, images: list[np.ndarray]):
    squares = list(canvas(images, 8))
    extractor = EncoderExtractor(finished)
    mirrored = extractor.extract([picture[:, ::-1] for picture in squares])
    np.testing.assert_allclose(mirrored, extractor.extract(squares), atol=1e-4)
    np.testing.assert_array_equal(
        average(lambda x: x[:, 0, :2, 0].astype(np.float32), np.stack(squares), False).shape, (20, 2)
    )


def test_raw_codes_and_other_storage_are_options(finished: Path, images: list[np.ndarray]):
    raw = EncoderExtractor(finished, raw=True, dtype="float16")
    assert raw.space.dim == 12
    assert raw.extract(images).dtype == np.float16
    assert raw.spec["raw"] is True


def test_its_spec_names_the_encoder_and_not_where_it_lies(finished: Path, images: list[np.ndarray]):
    extractor = EncoderExtractor(finished, name="mine")
    assert str(finished.parent) not in str(extractor.spec)
    again = create(extractor.spec, folder=lambda _: finished.parent)
    np.testing.assert_array_equal(again.extract(images), extractor.extract(images))
    with pytest.raises(ConfigError, match="which folder holds it"):
        create(extractor.spec)


@pytest.mark.parametrize("name", [ONNX, POSTPROCESS])
def test_damaged_files_are_refused_before_they_are_loaded(finished: Path, name: str):
    data = bytearray((finished / name).read_bytes())
    data[len(data) // 2] ^= 1
    (finished / name).write_bytes(bytes(data))
    with pytest.raises(DamagedArtifactError, match=name):
        EncoderExtractor(finished)


def test_a_network_that_is_none_is_named(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ONNX).write_bytes(b"this is no network")
    made: Artifact = publish(
        tmp_path / "work", tmp_path, "encoder", info={"side": 8, "fit": "stretch", "mirror": False, "dim": 3}
    )
    with pytest.raises(DamagedArtifactError, match="cannot read"):
        EncoderExtractor(made.path)


def test_wrong_settings_are_named(finished: Path):
    with pytest.raises(ConfigError, match=r"extractor\.path"):
        EncoderExtractor()
    with pytest.raises(ConfigError, match=r"extractor\.mirror"):
        EncoderExtractor(finished, mirror=False)
    with pytest.raises(ConfigError, match=r"extractor\.runtime"):
        EncoderExtractor(finished, runtime="tpu")
