import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nitari.errors import ConfigError, DamagedArtifactError
from nitari.extractor.visual_words import DESCRIPTORS, WORDS, Training, VisualWordsExtractor, vlad

pytest.importorskip("cv2", reason="needs the extra 'local'")


def clouds(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (15, 20, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((120, 90), Image.Resampling.BICUBIC))


def plain(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The same vector, descriptor by descriptor."""
    sums = np.zeros(words.shape)
    for descriptor in descriptors:
        nearest = np.linalg.norm(words - descriptor, axis=1).argmin()
        sums[nearest] += descriptor - words[nearest]
    sums = np.sign(sums) * np.sqrt(np.abs(sums))
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return (sums / np.linalg.norm(sums)).ravel()


def test_as_the_definition_says():
    random = np.random.default_rng(0)
    descriptors, words = (random.normal(size=(n, 6)).astype(np.float32) for n in (50, 5))
    np.testing.assert_allclose(vlad(descriptors, words), plain(descriptors, words), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vlad(descriptors, words)), 1, atol=1e-6)


def test_a_word_without_descriptors_is_zero():
    words = np.array([[0, 0], [9, 9]], np.float32)
    vector = vlad(np.array([[0.1, 0.2]], np.float32), words)
    np.testing.assert_array_equal(vector[2:], 0)
    assert vector[:2].all()


def test_a_mirrored_picture_has_nearly_the_same_vector(tiny_vocabulary: Path):
    pictures = [clouds(0), clouds(0)[:, ::-1], clouds(1)]
    one, other, third = VisualWordsExtractor(tiny_vocabulary).extract(pictures)
    plain_one, plain_other, _ = VisualWordsExtractor(tiny_vocabulary, mirror=False).extract(pictures)
    assert 1 - one @ other < 0.3 * min(1 - one @ third, 1 - plain_one @ plain_other)


def test_a_blank_picture_has_the_zero_vector(tiny_vocabulary: Path):
    assert not VisualWordsExtractor(tiny_vocabulary).extract([np.full((80, 80, 3), 7, np.uint8)]).any()


def test_its_spec_names_the_vocabulary_and_not_where_it_lies(tiny_vocabulary: Path):
    spec = VisualWordsExtractor(tiny_vocabulary, name="mine").spec
    assert spec["vocabulary"] == tiny_vocabulary.name
    assert str(tiny_vocabulary.parent) not in str(spec)


@pytest.mark.parametrize("name", [WORDS, DESCRIPTORS])
def test_damaged_files_are_refused_before_they_are_loaded(tiny_vocabulary: Path, tmp_path: Path, name: str):
    copy = Path(shutil.copytree(tiny_vocabulary, tmp_path / tiny_vocabulary.name))
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(DamagedArtifactError, match=rf"vocabulary .*{name}"):
        VisualWordsExtractor(copy)


def test_wrong_settings_are_named(tiny_vocabulary: Path):
    with pytest.raises(ConfigError, match=r"extractor\.path has no value"):
        VisualWordsExtractor()
    with pytest.raises(ConfigError, match=r"was made with extractor\.training"):
        VisualWordsExtractor(tiny_vocabulary, training={"words": 5})
    with pytest.raises(ConfigError, match=r"extractor\.training\.words is 0"):
        Training(words=0)
    with pytest.raises(ConfigError, match=r"extractor\.training\.sides is \[\]"):
        Training(sides=[])
    with pytest.raises(ConfigError, match=r"extractor\.training\.dim is 200"):
        Training(dim=200)
