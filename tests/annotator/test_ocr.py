from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont

from nitari.annotator import Annotator, create
from nitari.annotator.ocr import OcrAnnotator
from nitari.errors import ConfigError, MissingExtraError


def written(*lines, size=(480, 200), height=32):
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        draw.text((20, 20 + 2 * i * height), line, "black", ImageFont.load_default(height))
    return np.asarray(picture)


@pytest.fixture(scope="module")
def ocr():
    pytest.importorskip("rapidocr", reason="needs the extra 'ocr'")
    return OcrAnnotator(side=480, look=160)


def test_reads_lines_from_top_to_bottom(ocr):
    table = ocr.annotate([written("Organic Milk", "500 ml"), np.zeros((120, 200, 3), np.uint8)])
    assert table.schema.equals(pa.schema(list(ocr.columns.items())))
    assert table.column("text").to_pylist() == ["Organic Milk 500 ml", ""]
    sure, nothing = table.column("text_confidence").to_pylist()
    assert 0.8 < sure <= 1
    assert nothing is None


def test_pictures_of_every_shape(ocr):
    shapes = [(1, 1), (1, 96), (96, 1), (7, 5), (16, 900), (900, 16), (64, 64)]
    images = [np.full((*shape, 3), 255, np.uint8) for shape in shapes]
    images.append(written("Milk")[::-1, ::-1])
    images[0].flags.writeable = False
    table = ocr.annotate(images)
    assert table.column("text").to_pylist() == [""] * 7 + ["Milk"]
    assert ocr.annotate([]).num_rows == 0


def test_what_does_not_look_written_is_not_read(ocr, monkeypatch):
    read = []
    monkeypatch.setattr(OcrAnnotator, "_looks_written", lambda self, image: read.append(image.shape) or False)
    assert ocr.annotate([written("Milk")]).column("text").to_pylist() == [""]
    assert read == [(200, 480, 3)]


def test_threads_read_alike(ocr):
    images = [written(word) for word in ("Apple", "Bread", "Candy", "Dough")]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda image: ocr.annotate([image]).column("text")[0].as_py(), images))
    assert found == ["Apple", "Bread", "Candy", "Dough"]


def test_its_specification_recreates_it():
    ocr = OcrAnnotator("signs", 640, 200, 0.7)
    assert isinstance(ocr, Annotator)
    assert vars(create(ocr.spec)).keys() == vars(ocr).keys()
    assert create(ocr.spec).spec == ocr.spec


def test_bad_settings_are_refused(monkeypatch):
    for arguments in ({"look": 16}, {"side": 200}):
        with pytest.raises(ConfigError, match="look is"):
            OcrAnnotator(**arguments)
    with pytest.raises(ConfigError, match="confidence is 1"):
        OcrAnnotator(confidence=1)
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match=r"nitari\[ocr\]"):
        OcrAnnotator()
