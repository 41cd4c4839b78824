import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari import catalog
from nitari.artifact import publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, DamagedArtifactError
from nitari.steps.build import build
from nitari.steps.status import status
from nitari.steps.text import index_text
from nitari.text.index import TextIndex

EXACT = {"_target_": "nitari.index.exact.Exact"}
N = 40


@pytest.fixture
def collection(tmp_path, catalog_of):
    collection = Collection(tmp_path, "shoes")
    catalog_of(collection, N)
    return collection


def annotate(collection, name, **columns):
    work = collection.work("annotation", {"name": name})
    pq.write_table(pa.table(columns), work / catalog.COLUMNS)
    made_from = collection.latest("catalog")
    return publish(
        work,
        collection.folder("annotation", name),
        "annotation",
        parents={"catalog": made_from},
        info={"columns": list(columns)},
    )


def test_rows_are_the_catalogs(collection):
    artifact = index_text(collection, Catalog.newest(collection), ["category", "file_name"])
    index = TextIndex.open(artifact)
    assert len(index) == artifact.manifest.counts["rows"] == N
    assert index.search("c2", N).rows.tolist() == list(range(2, N, 4))
    assert index.search("17", 1).rows.tolist() == [17]
    assert index.search("jpg", 3).rows.tolist() == []  # of a file name's extension nothing is kept


def test_what_annotators_wrote_is_found_and_pinned(collection):
    annotate(collection, "colours", main_colour=["red"] * N)
    ocr = annotate(collection, "ocr", text=[f"sale {i}" if i % 2 else None for i in range(N)])
    artifact = index_text(collection, Catalog.newest(collection), ["text"])
    assert set(artifact.manifest.parents) == {"catalog", "annotation:ocr"}
    assert TextIndex.open(artifact).search("sale", N).rows.tolist() == list(range(1, N, 2))
    assert index_text(collection, Catalog.newest(collection), ["text"]).id == artifact.id
    assert index_text(collection, Catalog.newest(collection), ["text", "category"]).id != artifact.id
    annotate(collection, "ocr", text=["other"] * N)
    assert ocr.id == artifact.manifest.parents["annotation:ocr"]["id"]
    assert index_text(collection, Catalog.newest(collection), ["text"]).id != artifact.id


def test_dictionary_columns_are_text(collection):
    annotate(collection, "kinds", kind=pa.array(["boot", "clog"] * (N // 2)).dictionary_encode())
    index = TextIndex.open(index_text(collection, Catalog.newest(collection), ["kind"]))
    assert index.search("boots", 2).rows.tolist() == [0, 2]


def test_a_release_pins_it_when_columns_are_named(collection, space_of):
    space_of(collection, collection.latest("catalog"), "encoder")
    assert "text" not in build(collection, EXACT).manifest.parents
    release = build(collection, EXACT, text=["category"])
    artifact = collection.parent(release, "text")
    assert artifact.manifest.config == {"columns": ["category"]}
    assert build(collection, EXACT, text=["category"]).id == release.id
    assert status(collection)["text"]["id"] == artifact.id
    assert not list((collection.path / "work").iterdir())


@pytest.mark.parametrize("name", ["rows", "letters", "own", "starts"])
def test_a_damaged_index_is_refused_and_built_again(collection, name):
    artifact = index_text(collection, Catalog.newest(collection), ["category"])
    file = artifact.path / f"{name}.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedArtifactError, match=rf"{name}\.npy"):
        TextIndex.open(artifact)
    again = index_text(collection, Catalog.newest(collection), ["category"])
    assert again.id != artifact.id
    TextIndex.open(again)


@pytest.mark.parametrize(
    ("columns", "message"),
    [([], "text.columns is empty"), (["titel"], "names 'titel'"), (["width"], "'width', which holds int32")],
)
def test_bad_columns_are_refused(collection, columns, message):
    with pytest.raises(ConfigError, match=message):
        index_text(collection, Catalog.newest(collection), columns)
