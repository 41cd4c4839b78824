import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari.artifact import publish
from nitari.catalog import FILE, Catalog, counts
from nitari.errors import ConfigError, FilterError
from nitari.steps.holdout import training_mask, training_rule

N = 400


def make(tmp_path: Path, **columns: list) -> Catalog:
    table = pa.table(
        {
            "item_id": [f"{i:016d}" for i in range(N)],
            "sha256": [hashlib.sha256(str(i // 2).encode()).hexdigest() for i in range(N)],
            "status": ["ready"] * N,
            **columns,
        }
    )
    work = tmp_path / "work"
    work.mkdir()
    pq.write_table(table, work / FILE)
    return Catalog(publish(work, tmp_path / "catalog", "catalog", counts=counts(table)))


def test_one_in_twenty_is_held_out_and_copies_stay_together(tmp_path: Path):
    catalog = make(tmp_path)
    mask = training_mask(catalog, None)
    assert mask.dtype == bool
    assert mask.shape == (N,)
    assert 0.01 < (~mask).mean() < 0.12
    np.testing.assert_array_equal(mask[::2], mask[1::2])
    digests = catalog.ready("sha256").to_pylist()
    np.testing.assert_array_equal(~mask, [int(d[:8], 16) % 20 == 0 for d in digests])


def test_a_split_column_chooses(tmp_path: Path):
    split = ["train", "train", "test", None] * (N // 4)
    catalog = make(tmp_path, split=split)
    assert training_rule(catalog) == "split=train"
    np.testing.assert_array_equal(training_mask(catalog), [s == "train" for s in split])


@pytest.mark.parametrize("values", [["test"] * N, [1] * N, [None] * N])
def test_a_split_column_without_train_does_not(tmp_path: Path, values: list):
    catalog = make(tmp_path, split=values)
    assert training_rule(catalog) is None
    assert 0.8 < training_mask(catalog).mean() < 1


def test_a_filter_that_chooses_nothing_is_told_with_what_there_is(tmp_path: Path):
    catalog = make(tmp_path, kind=["bag"] * N)
    with pytest.raises(ConfigError, match=r"nothing to train on\. No picture has kind=hat\. kind has bag \(400\)"):
        training_mask(catalog, "kind=hat")


def test_a_filter_chooses_and_the_rest_is_held_out(tmp_path: Path):
    catalog = make(tmp_path, split=["train"] * N, price=list(range(N)))
    np.testing.assert_array_equal(training_mask(catalog, "price<100"), np.arange(N) < 100)


def test_a_filter_that_takes_everything_still_leaves_something_to_measure_with(tmp_path: Path):
    catalog = make(tmp_path, price=list(range(N)))
    np.testing.assert_array_equal(training_mask(catalog, "price>=0"), training_mask(catalog, None))


def test_a_wrong_filter_is_named(tmp_path: Path):
    with pytest.raises(FilterError, match="no column 'brand'"):
        training_mask(make(tmp_path), "brand=x")
