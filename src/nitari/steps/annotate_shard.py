"""One shard of annotate: some pictures of a catalog -> an annotator's columns, in a file. Runs in a worker process."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq

from nitari.annotator import Annotator, create
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.executor import Beat
from nitari.files import sync
from nitari.steps.pictures import Pictures
from nitari.steps.survey import checked

TASK = "nitari.steps.annotate_shard:work"


def told(catalog: Catalog, annotator: Annotator, rows: Path) -> dict[str, Any]:
    """What all shards of a job have in common; ``rows`` is a .npy of catalog rows."""
    return {
        "catalog": str(catalog.artifact.path.absolute()),
        "annotator": annotator.spec,
        "rows": str(rows.absolute()),
    }


def work(payload: dict[str, Any], beat: Beat, blamed: dict[int, str]) -> dict[str, Any]:
    """Write the columns of rows ``start`` to ``stop``."""
    annotator, pictures, rows = _job(json.dumps(payload["common"], sort_keys=True))
    write(Path(payload["file"]), annotator, pictures, rows[payload["start"] : payload["stop"]])
    return {}


def write(file: Path, annotator: Annotator, pictures: Pictures, rows: np.ndarray) -> None:
    """Leave the columns of some pictures in ``file``, on disk and in one piece."""
    images = pictures.read(rows, annotator.side)
    aside = file.with_suffix(f".{secrets.token_hex(4)}.tmp")
    pq.write_table(checked(annotator.annotate(images), annotator, len(images)), aside)
    sync(aside)
    aside.replace(file)


@lru_cache(maxsize=1)
def _job(common: str) -> tuple[Annotator, Pictures, np.ndarray]:
    """Kept from shard to shard."""
    values: Mapping[str, Any] = json.loads(common)
    path = Path(values["catalog"])
    collection = Collection(path.parent.parent.parent, path.parent.parent.name)
    catalog = Catalog(collection.open("catalog", path.name))
    rows = np.load(values["rows"], mmap_mode="r", allow_pickle=False)
    return cast(Annotator, create(values["annotator"])), Pictures(collection, catalog), rows
