import pytest

from nitari.annotator.shape import ShapeAnnotator
from nitari.collection import Collection
from nitari.errors import ConfigError


def test_says_how_pictures_lie(tmp_path, ingest_folder, whole_of):
    from PIL import Image

    sizes = {"a.png": (200, 100), "b.png": (100, 200), "c.png": (104, 100), "d.png": (100, 106)}
    (tmp_path / "pictures").mkdir()
    for name, size in sizes.items():
        Image.new("RGB", size, "red").save(tmp_path / "pictures" / name)
    collection = Collection(tmp_path, "shoes")
    ingest_folder(collection, tmp_path / "pictures")
    table = ShapeAnnotator().survey(whole_of(collection))
    assert table.column("shape").to_pylist() == ["landscape", "portrait", "square", "portrait"]
    assert table.column("aspect").to_pylist()[:2] == [2.0, 0.5]
    assert table.column("megapixels").to_pylist()[0] == pytest.approx(0.02)
    with pytest.raises(ConfigError, match=r"annotator\.square is -1"):
        ShapeAnnotator(square=-1)
