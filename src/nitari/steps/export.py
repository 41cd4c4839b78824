"""Tables that people take away: CSV or Parquet, by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from nitari.files import sync

FORMATS = ("csv", "parquet")


def export(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Write tables of one schema one after the other, aside and then renamed; returns the number of rows."""
    aside = path.with_name(f".{path.name}.tmp")
    kind = pa.csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
    rows = 0
    with kind(str(aside), schema) as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    sync(aside)
    aside.replace(path)
    return rows
