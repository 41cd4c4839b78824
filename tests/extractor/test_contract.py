"""What every extractor in conf/extractor must do. New choices are picked up from there by themselves."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nitari import conf
from nitari.extractor import Extractor, create

CHOICES = sorted(Path(str(conf.__file__)).parent.glob("extractor/*.yaml"))


@pytest.fixture(params=CHOICES, ids=lambda path: path.stem)
def extractor(request: pytest.FixtureRequest) -> Extractor:
    values: dict[str, Any] = yaml.safe_load(request.param.read_text(encoding="utf-8"))
    if "training" in values:
        pytest.importorskip("cv2", reason="needs the extra 'local'")
        values |= {"path": str(request.getfixturevalue("tiny_vocabulary")), "training": None}
    elif "path" in values:
        values["path"] = str(request.getfixturevalue("tiny_encoder"))
    if "weights" in values:  # small pictures are enough for the contract
        values["side"] = 32
        if values["weights"] == "???":
            values |= {"model": "resnet18", "layer": None, "weights": str(request.getfixturevalue("resnet"))}
        else:
            pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra 'pretrained'")
    return create(values)


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """Shapes of every kind: landscape, portrait, a line, one pixel, read-only and not contiguous."""
    rng = np.random.default_rng(0)
    shapes = [(64, 96), (96, 64), (96, 96), (1, 96), (96, 1), (1, 1), (7, 5), (300, 200)]
    images = [rng.integers(0, 256, (*shape, 3)).astype(np.uint8) for shape in shapes]
    images.append(np.zeros((96, 96, 3), np.uint8))
    images.append(np.full((96, 96, 3), 255, np.uint8))
    images.append(images[0][::-1, ::2])
    images[2].flags.writeable = False
    return images


def test_is_an_extractor(extractor: Extractor):
    assert isinstance(extractor, Extractor)
    assert extractor.side >= 1


def test_gives_one_finite_vector_a_picture_as_its_space_says(extractor: Extractor, pictures: list[np.ndarray]):
    vectors = extractor.extract(pictures)
    assert vectors.shape == (len(pictures), extractor.space.width)
    assert vectors.dtype == extractor.space.dtype
    extractor.space.check(vectors)


def test_no_pictures_give_no_vectors(extractor: Extractor):
    assert extractor.extract([]).shape == (0, extractor.space.width)


def test_a_picture_does_not_depend_on_its_neighbours(extractor: Extractor, pictures: list[np.ndarray]):
    together = extractor.extract(pictures)
    alone = np.concatenate([extractor.extract([picture]) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_pictures_are_left_as_they_were(extractor: Extractor, pictures: list[np.ndarray]):
    before = [picture.copy() for picture in pictures]
    extractor.extract(pictures)
    assert all(np.array_equal(a, b) for a, b in zip(before, pictures, strict=True))


def test_several_threads_give_what_one_gives(extractor: Extractor, pictures: list[np.ndarray]):
    expected = extractor.extract(pictures)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(extractor.extract, [pictures] * 12):
            np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_its_spec_makes_it_again(extractor: Extractor, pictures: list[np.ndarray]):
    spec = dict(extractor.spec)
    artifact = getattr(extractor, "artifact", None)
    if artifact is not None:  # where an encoder lies is the collection's to say
        assert spec[artifact.manifest.kind] == artifact.id
    again = create(spec, folder=lambda _: artifact.path.parent)
    assert again.spec == extractor.spec
    assert again.side == extractor.side
    assert np.allclose(again.extract(pictures), extractor.extract(pictures), atol=1e-6)


def test_different_pictures_get_different_vectors(extractor: Extractor, pictures: list[np.ndarray]):
    vectors = extractor.extract([pictures[0], pictures[1], pictures[9]]).astype(np.float32)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-4)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-4)
