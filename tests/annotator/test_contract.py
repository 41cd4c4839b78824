"""What every annotator in conf/annotator must do. New choices are picked up from there by themselves."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from nitari import conf
from nitari.annotator import Annotator, CollectionAnnotator, create
from nitari.catalog import SCHEMA, Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.steps.annotate import annotate

CHOICES = sorted(Path(str(conf.__file__)).parent.glob("annotator/*.yaml"))


@pytest.fixture(params=CHOICES, ids=lambda path: path.stem)
def annotator(request: pytest.FixtureRequest) -> Annotator | CollectionAnnotator:
    if request.param.stem == "ocr":
        pytest.importorskip("rapidocr", reason="needs the extra 'ocr'")
    return create(yaml.safe_load(request.param.read_text(encoding="utf-8")))


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """Shapes of every kind: landscape, portrait, a line, one pixel, read-only and not contiguous."""
    rng = np.random.default_rng(0)
    shapes = [(64, 96), (96, 64), (96, 96), (1, 96), (96, 1), (1, 1), (7, 5), (300, 200)]
    images = [rng.integers(0, 256, (*shape, 3)).astype(np.uint8) for shape in shapes]
    images += [np.zeros((96, 96, 3), np.uint8), np.full((96, 96, 3), 255, np.uint8), images[0][::-1, ::2]]
    images[2].flags.writeable = False
    return images


@pytest.fixture
def one_by_one(annotator: Annotator | CollectionAnnotator) -> Annotator:
    if not isinstance(annotator, Annotator):
        pytest.skip("it compares all pictures")
    return annotator


def schema(annotator: Annotator | CollectionAnnotator) -> pa.Schema:
    return pa.schema(list(annotator.columns.items()))


def test_is_an_annotator_of_one_kind(annotator: Annotator | CollectionAnnotator):
    assert isinstance(annotator, Annotator) != isinstance(annotator, CollectionAnnotator)
    assert annotator.columns
    assert not set(annotator.columns) & set(SCHEMA.names)
    Collection("collections", annotator.name)  # its name is safe as a folder's


def test_its_spec_makes_it_again(annotator: Annotator | CollectionAnnotator):
    again = create(annotator.spec)
    assert again.spec == annotator.spec
    assert schema(again) == schema(annotator)


def test_annotators_do_not_share_a_column():
    names = [name for path in CHOICES for name in create(yaml.safe_load(path.read_text(encoding="utf-8"))).columns]
    assert len(names) == len(set(names))


def test_gives_a_row_a_picture(one_by_one: Annotator, pictures: list[np.ndarray]):
    before = [picture.copy() for picture in pictures]
    table = one_by_one.annotate(pictures)
    assert table.schema.equals(schema(one_by_one))
    assert len(table) == len(pictures)
    assert all(np.array_equal(a, b) for a, b in zip(before, pictures, strict=True))
    for column in table.columns:
        if pa.types.is_floating(column.type):
            assert np.isfinite(column.drop_null().to_numpy()).all()


def test_no_pictures_give_no_rows(one_by_one: Annotator):
    table = one_by_one.annotate([])
    assert table.schema.equals(schema(one_by_one))
    assert len(table) == 0


def test_a_picture_does_not_depend_on_its_neighbours(one_by_one: Annotator, pictures: list[np.ndarray]):
    alone = pa.concat_tables([one_by_one.annotate([picture]) for picture in pictures])
    assert one_by_one.annotate(pictures).to_pylist() == alone.to_pylist()


def test_several_threads_give_what_one_gives(one_by_one: Annotator, pictures: list[np.ndarray]):
    expected = one_by_one.annotate(pictures).to_pylist()
    with ThreadPoolExecutor(4) as pool:
        assert all(table.to_pylist() == expected for table in pool.map(one_by_one.annotate, [pictures] * 4))


def test_annotates_a_collection(
    annotator: Annotator | CollectionAnnotator, tmp_path, make_pictures, ingest_folder, space_of
):
    n = 48 if isinstance(annotator, CollectionAnnotator) else 5
    make_pictures(tmp_path / "pictures", n)
    collection = Collection(tmp_path, "shoes")
    catalog = ingest_folder(collection, tmp_path / "pictures")
    space_of(collection, catalog, "encoder")
    artifact = annotate(collection, annotator)
    found = Catalog.newest(collection)
    assert found.attributes == list(annotator.columns)
    for name, kind in annotator.columns.items():
        assert found.ready(name).type == kind
        assert len(found.ready(name)) == n
    assert annotate(collection, create(annotator.spec)).id == artifact.id


@pytest.mark.parametrize(
    "spec", [{"_target_": "os.path.join"}, {"_target_": "nitari.annotator.shape.ShapeAnnotator", "k": 1}]
)
def test_other_targets_and_settings_are_refused(spec: dict):
    with pytest.raises(ConfigError):
        create(spec)
