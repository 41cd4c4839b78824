"""Adds columns that nobody typed in, such as colours, quality or clusters, to filter by.

    nitari annotate collection=shoes annotator=colours
    nitari annotate collection=shoes annotator=quality where="shape=landscape"
    nitari annotate collection=shoes annotator=clusters annotator.k=40
    nitari annotate collection=shoes annotator=clusters annotator.k=40 "annotator.names={3: bags}"

Pictures that were looked at in the same way keep what was found. Killed at any moment, the same command goes on where it
stopped. What is never looked at is null. The next build serves the columns: nitari recommend where="main_colour=red".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from omegaconf import DictConfig

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.steps import annotate as step

from .job import instantiate, job, plain
from .progress import Progress

COMMONEST = 8  # values of a column that are shown


def run(cfg: DictConfig) -> dict[str, Any]:
    """What was annotated, and of each column the commonest values, or the range of numbers."""
    return annotated(cfg, plain(cfg.annotator), cfg.where)


def annotated(cfg: DictConfig, spec: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
    """``run`` of one annotator by its configuration; ``cfg`` says of which collection."""
    collection = Collection.existing(cfg.root, cfg.collection)
    annotator = instantiate(spec)
    start = time.monotonic()
    artifact = step.annotate(
        collection,
        annotator,
        where=where,
        threads=cfg.workers,
        executor=instantiate(cfg.executor),
        progress=Progress(f"annotate {annotator.name}"),
    )
    seconds = time.monotonic() - start
    manifest = artifact.manifest
    catalog = Catalog.newest(collection)
    return {
        "collection": collection.name,
        "annotator": annotator.name,
        "annotation": artifact.id,
        "catalog": manifest.parents["catalog"]["id"],
        "counts": manifest.counts,
        "columns": {name: described(catalog.ready(name)) for name in manifest.info["columns"]},
        "files": [str(artifact.path / file) for file in manifest.files if file.endswith(".jpg")],
        "seconds": round(seconds, 2),
    }


def described(column: pa.ChunkedArray) -> dict[str, Any]:
    """Its type and nulls; five quantiles of numbers, of other values how many there are and the commonest."""
    found: dict[str, Any] = {"type": str(column.type), "null": column.null_count}
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return found | {"quantiles": pc.quantile(column, [0, 0.1, 0.5, 0.9, 1]).to_pylist()}
    counted = pc.value_counts(column.drop_null())
    order = pc.sort_indices(counted.field("counts"), [("", "descending")])[:COMMONEST]
    commonest = {str(row["values"]): row["counts"] for row in counted.take(order).to_pylist()}
    return found | {"different": len(counted), "commonest": commonest}


def show(result: Mapping[str, Any]) -> str:
    counts = result["counts"]
    kept = f", {counts['carried_over']:,} of them as they were" if counts["carried_over"] else ""
    lines = [
        f"annotations/{result['annotator']}/{result['annotation']}: {counts['annotated']:,} of {counts['pictures']:,} "
        f"pictures{kept}, in {result['seconds']:.1f} s",
        "",
    ]
    width = max(len(name) for name in result["columns"])
    for name, column in result["columns"].items():
        if "quantiles" in column:
            text = "  ".join("–" if value is None else f"{value:.4g}" for value in column["quantiles"])
            text += "   (least, 10%, median, 90%, most)"
        else:
            text = ", ".join(f"{value} {count:,}" for value, count in column["commonest"].items())
            text += f", … {column['different']:,} values" if column["different"] > len(column["commonest"]) else ""
        lines.append(f"  {name:<{width}}  {text}")
    lines += ["", *(f"To look at: {file}" for file in result["files"])] if result["files"] else []
    return "\n".join(lines)


main = job("annotate", run, show)
