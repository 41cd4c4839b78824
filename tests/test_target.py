import pytest

from nitari.errors import ConfigError
from nitari.extractor.hog import HogExtractor
from nitari.target import resolve


def test_finds_a_class_of_its_room():
    assert resolve("nitari.extractor.hog.HogExtractor", "extractor") is HogExtractor


@pytest.mark.parametrize(
    "target",
    [
        "",
        "HogExtractor",
        "os.system",
        "nitari.index.exact.Exact",
        "nitari.extractor.hog",
        "nitari.extractor.hog.Space",
        "nitari.extractor.hog.np",
        "nitari.extractor.hog._blocks",
        "nitari.extractor.none.Extractor",
        "nitari.extractor.encoder.Path",
        "nitari.extractor.hog.a-b",
    ],
)
def test_refuses_everything_else(target: str):
    with pytest.raises(ConfigError):
        resolve(target, "extractor")
