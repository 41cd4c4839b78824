"""A small share of benchmarks/mutations.py: damaged artifacts are refused by name, and the process survives."""

from collections import Counter

import pytest
from benchmarks.mutations import trials

from nitari.collection import Collection
from nitari.extractor import create
from nitari.steps.build import build
from nitari.steps.extract import extract


@pytest.fixture(scope="module")
def root(tmp_path_factory, make_pictures, ingest_folder):
    root = tmp_path_factory.mktemp("root")
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder, 40)
    collection = Collection(root, "shop")
    ingest_folder(collection, folder)
    for name, postprocess in (("pixels", {"pca": 8}), ("colour", None)):
        extractor = create({"_target_": f"nitari.extractor.{name}.{name.capitalize()}Extractor"})
        extract(collection, extractor, postprocess=postprocess)
    build(collection, {"_target_": "nitari.index.hnsw.Hnsw"})
    return root


@pytest.mark.parametrize("kind", ["index", "embeddings", "catalog", "thumbnails", "release"])
def test_damage_is_refused_by_name(root, kind):
    found = trials(root, "shop", kind, n=40, seed=1)
    assert found["refused"] + found["refused when verified"] == found.total() >= 35, found
    if kind == "index":
        assert found == Counter(refused=found.total())
