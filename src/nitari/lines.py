"""Files of JSON lines that only grow: on disk when the call returns, and what a killed process left of a line spoils no other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nitari.errors import DamagedArtifactError


def append(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a line a record and fsync. One process at a time: the caller holds a lock."""
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # what a killed process left of a line
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, remedy: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, record) of each whole line; none where there is no file. Raises DamagedArtifactError naming a bad line."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):  # not a line half written
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise DamagedArtifactError(f"Line {number} of '{path}' cannot be read. {remedy}")
        yield number, record
