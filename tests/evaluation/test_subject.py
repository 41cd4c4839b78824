from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.evaluation.subject import choose, never_trained, open_subject, same_picture, sample
from nitari.steps.holdout import training_mask


def encoder(collection: Collection, catalog: Artifact, held_out: list[str]) -> None:
    work = collection.work("encoder", {})
    pq.write_table(pa.table({"item_id": pa.array(held_out, pa.string())}), work / "held_out.parquet")
    publish(work, collection.folder("encoder"), "encoder", parents={"catalog": catalog}, info={"where": "kind=red"})


def test_equal_bytes_share_a_group(painted: Collection):
    catalog = Catalog(painted.latest("catalog"))
    groups = same_picture(catalog)
    assert groups[catalog.row("red-00.jpg")] == groups[catalog.row("red-copy.jpg")]
    assert len(np.unique(groups)) == catalog.n_ready - 1


def test_without_an_encoder_those_are_asked_that_would_be_held_out(painted: Collection):
    catalog = Catalog(painted.latest("catalog"))
    assert np.array_equal(choose(painted, catalog, None, "queries"), np.flatnonzero(~training_mask(catalog)))


def test_an_encoder_says_what_it_never_saw(tmp_path: Path, catalog_of: Callable[[Collection, int], Artifact]):
    collection = Collection(tmp_path, "shoes")
    first = catalog_of(collection, 20)
    ids = Catalog(first).ready("item_id").to_pylist()
    encoder(collection, first, [ids[3], ids[7]])
    assert np.flatnonzero(never_trained(collection, Catalog(first))).tolist() == [3, 7]
    later = Catalog(catalog_of(collection, 23))
    assert np.flatnonzero(never_trained(collection, later)).tolist() == [3, 7, 20, 21, 22]
    collection.discard(first.path)
    assert np.flatnonzero(never_trained(collection, later)).tolist() == [3, 7]


def test_where_all_trained_all_are_asked(tmp_path: Path, catalog_of: Callable[[Collection, int], Artifact]):
    collection = Collection(tmp_path, "shoes")
    catalog = catalog_of(collection, 5)
    encoder(collection, catalog, [])
    assert choose(collection, Catalog(catalog), None, "queries").tolist() == [0, 1, 2, 3, 4]


def test_a_filter_that_admits_nothing_is_named(painted: Collection):
    catalog = Catalog(painted.latest("catalog"))
    with pytest.raises(ConfigError, match="gallery=kind=mauve admits no picture"):
        choose(painted, catalog, "kind=mauve", "gallery")


def test_samples_are_drawn_by_seed():
    rows = np.arange(100, 200)
    assert sample(rows, 100, 0) is rows
    first = sample(rows, 10, 0)
    assert len(np.unique(first)) == 10
    assert (np.diff(first) > 0).all()
    assert np.array_equal(first, sample(rows, 10, 0))
    assert not np.array_equal(first, sample(rows, 10, 1))


def test_embeddings_of_another_catalog_are_refused(
    painted: Collection, tmp_path: Path, catalog_of: Callable[..., Artifact]
):
    other = catalog_of(Collection(tmp_path, "other"), 5)
    with pytest.raises(ArtifactError, match="was made from catalog"):
        open_subject(painted, Catalog(other), painted.latest("embeddings", "pixels"))
