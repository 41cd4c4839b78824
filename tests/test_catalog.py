import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari.artifact import publish
from nitari.catalog import FILE, Catalog, arrange, counts
from nitari.errors import FilterError, QueryError


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    n = 6
    table = pa.table(
        {
            "item_id": [f"{'abcdef'[i] * 16}" for i in range(n)],
            "file_name": ["one.jpg", "gone.jpg", "two.jpg", "bad.jpg", "three.jpg", "three.jpg"],
            "status": ["ready", "gone", "ready", "unreadable", "ready", "ready"],
            "message": [None, None, None, "not a picture", None, None],
            "label": ["bag", "bag", "shoe", None, None, "007"],
            "price": [10, 20, 30, None, None, 40],
            "weight": [0.5, 1.0, 1.5, None, 2.0, 2.5],
            "new": [True, None, False, None, True, None],
        }
    )
    table = arrange(table)
    work = tmp_path / "work"
    work.mkdir()
    pq.write_table(table, work / FILE)
    return Catalog(publish(work, tmp_path / "catalog", "catalog", counts=counts(table)))


def names(catalog: Catalog, where: str) -> list[str]:
    selection = catalog.select(where)
    assert selection is not None
    return [str(r["item_id"])[0] for r in catalog.records(selection.rows)]


def test_ready_rows_come_first(catalog: Catalog):
    assert (catalog.n_items, catalog.n_ready) == (6, 4)
    assert catalog.column("status").to_pylist() == ["ready"] * 4 + ["unreadable", "gone"]
    assert catalog.attributes == ["label", "price", "weight", "new"]


@pytest.mark.parametrize(
    ("where", "admitted"),
    [
        ("label=bag", "a"),
        ("label='007'", "f"),
        ("label!=bag", "cef"),
        ("not label!=bag", "a"),
        ("label is null", "e"),
        ("label is not null", "acf"),
        ("label in (bag, shoe)", "ac"),
        ("label not in (bag, shoe)", "ef"),
        ("price<30", "a"),
        ("price<=30.0", "ac"),
        ("price<29.5", "a"),
        ("price>10 and weight<2", "c"),
        ("not price>10", "ae"),
        ("new=true", "ae"),
        ("new!=true", "cf"),
        ("label=bag or weight>=2.5", "af"),
        ("label=nothing", ""),
    ],
)
def test_filters_admit(catalog: Catalog, where: str, admitted: str):
    assert names(catalog, where) == list(admitted)


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("price<cheap", 6, "holds int64; 'cheap' is not one"),
        ("new=perhaps", 4, "holds bool"),
        ("label=bag and colour=red", 14, "no column 'colour'"),
    ],
)
def test_a_filter_that_does_not_fit(catalog: Catalog, where: str, position: int, message: str):
    with pytest.raises(FilterError, match=message) as caught:
        catalog.select(where)
    assert caught.value.position == position


def test_exclusions(catalog: Catalog):
    assert catalog.select(None) is None
    selection = catalog.select(None, exclude=[1])
    assert selection is not None
    assert selection.rows.tolist() == [0, 2, 3]
    selection = catalog.select("weight>0", exclude=[0])
    assert selection is not None
    assert selection.rows.tolist() == [1, 2, 3]


def test_items_by_id_or_name(catalog: Catalog):
    assert catalog.row("c" * 16) == catalog.row("two.jpg") == 1
    for item, message in [
        ("nothing", "no item 'nothing'"),
        ("東京", "no item"),
        ("three.jpg", "2 items"),
        ("bad.jpg", "unreadable: not a picture"),
        ("b" * 16, "gone"),
    ]:
        with pytest.raises(QueryError, match=message):
            catalog.row(item)
    assert catalog.records([1, 0], ["price"]) == [{"price": 30}, {"price": 10}]
    assert np.array_equal(catalog.item_ids[:1], np.array([b"a" * 16]))


def test_threads_read_the_file_one_after_the_other(catalog: Catalog):
    """Two reads of one ParquetFile at once hang now and then."""
    inside = threading.Semaphore(1)

    class Guarded:
        def __init__(self, file: pq.ParquetFile) -> None:
            self.schema_arrow, self.file = file.schema_arrow, file

        def read(self, names: list[str]) -> pa.Table:
            assert inside.acquire(blocking=False), "a second thread reads"
            time.sleep(0.005)
            inside.release()
            return self.file.read(names)

    catalog._file = Guarded(catalog._file)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: catalog.records([row])[0], range(4)))
    assert found == catalog.records(range(4))
