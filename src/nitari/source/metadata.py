"""Tables that users keep beside their pictures: CSV, JSON lines, Parquet."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from nitari import storage
from nitari.errors import SourceError
from nitari.source import columns

log = logging.getLogger(__name__)

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def read(path: Path | str) -> pa.Table:
    """The table in ``path``; text columns of CSV become numbers or booleans only where every value is one.

    Lines that do not fit are left out and counted in the log. ``path`` may be a URL. Raises SourceError.
    """
    if isinstance(path, str) and storage.is_url(path):
        return _stored(path)
    path = Path(path)
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _json_lines, ".parquet": pq.read_table}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"'{path}' is no table that can be read. Give one of: {', '.join(SUFFIXES)}")
    try:
        table = reader(path)
    except FileNotFoundError:
        raise SourceError(f"There is no table '{path}'") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The table '{path}' cannot be read: {error}") from None
    return columns.plain(_without_repeated_columns(table))


def _stored(url: str) -> pa.Table:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / url.rpartition("/")[2]
        try:
            storage.download(url, copy)
        except FileNotFoundError:
            raise SourceError(f"There is no table '{url}'") from None
        except OSError as error:
            raise SourceError(f"The table '{url}' cannot be read: {error.strerror}") from None
        try:
            return read(copy)
        except SourceError as error:
            raise SourceError(str(error).replace(str(copy), url)) from None


def _csv(path: Path) -> pa.Table:
    bad: list[int] = []

    def leave_out(row: pa.csv.InvalidRow) -> str:
        bad.append(row.number or 0)
        return "skip"

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open("rb") as file:
        header = file.readline(1 << 20).decode("utf-8-sig", "replace")
    names = pa.csv.read_csv(
        pa.BufferReader(header.encode()), parse_options=pa.csv.ParseOptions(delimiter=delimiter)
    ).column_names
    table = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),  # so that lines have numbers
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=leave_out),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, null_values=[""], strings_can_be_null=True
        ),
    )
    _report(bad, path)
    return pa.table([columns.typed(column) for column in table.columns], table.column_names)


def _json_lines(path: Path) -> pa.Table:
    try:
        return pa.json.read_json(path)
    except pa.ArrowInvalid:  # mixed kinds or a bad line: slower, and less particular
        pass
    bad: list[int] = []
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError:
                row = 0
            if isinstance(row, dict):
                rows.append(row)
            elif row is not None:
                bad.append(number)
    _report(bad, path)
    values: dict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
    for i, row in enumerate(rows):
        for name, value in row.items():
            values[name][i] = value
    return pa.table({name: columns.from_values(column) for name, column in values.items()})


def _report(bad: list[int], path: Path) -> None:
    if bad:
        log.warning("%d lines of '%s' do not fit and are left out, the first is line %d", len(bad), path, bad[0])


def _without_repeated_columns(table: pa.Table) -> pa.Table:
    names = table.column_names
    keep = [i for i, name in enumerate(names) if name not in names[:i]]
    if len(keep) < len(names):
        log.warning("Columns that occur twice are kept once: %s", sorted({n for n in names if names.count(n) > 1}))
    return table.select(keep)
