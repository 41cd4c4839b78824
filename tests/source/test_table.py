from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nitari.errors import SourceError
from nitari.source.table import TableSource


def test_paths_are_relative_to_the_table_or_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"a")
    table = tmp_path / "items.parquet"
    rows = ["a.jpg", "b.jpg", None, str(tmp_path / "pictures" / "a.jpg"), "."]
    pq.write_table(pa.table({"image": rows, "item_id": [1, 2, 3, 4, 5], "status": list("vwxyz")}), table)
    listing = TableSource(str(table), folder=str(tmp_path / "pictures")).listing()
    assert listing.column("reason").to_pylist() == [None, "missing", "missing", None, "refused"]
    assert listing.column("source_item_id").to_pylist() == [1, 2, 3, 4, 5]
    assert listing.column("source_status").to_pylist() == list("vwxyz")
    moved = TableSource(str(table)).listing()
    assert moved.column("reason").to_pylist()[0] == "missing"
    assert moved.column("item_id").equals(listing.column("item_id"))  # made from the table's own


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("picture,path\na.jpg,x\na.jpg,x\n")
    with pytest.raises(SourceError, match=r"'x'.*item_id"):
        TableSource(str(table)).listing()
    with pytest.raises(SourceError, match=r"source\.column"):
        TableSource(str(table), column="image").listing()
    table.write_text("picture\na.jpg\n")
    with pytest.raises(SourceError, match="picture"):
        TableSource(str(table)).listing()
    with pytest.raises(SourceError, match="no table"):
        TableSource(str(tmp_path / "none.csv")).listing()
    with pytest.raises(SourceError, match=r"\.parquet"):
        TableSource(str(tmp_path / "none.xlsx")).listing()


def test_csv_details(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_bytes('﻿path,caption\na.jpg,"two\nlines, and a comma"\nb.jpg,x,too many\nc.jpg,é\n'.encode())
    listing = TableSource(str(table)).listing()
    assert listing.column("file_name").to_pylist() == ["a.jpg", "c.jpg"]
    assert listing.column("caption").to_pylist() == ["two\nlines, and a comma", "é"]
