"""Reads pictures into a collection: a catalog row and a thumbnail each, once; later only what is new or changed.

    nitari ingest collection=shoes source=folder source.path=PATH
    nitari ingest collection=shoes source=folder source.path=PATH "thumbnails=[96,256]"
    nitari ingest collection=shoes source=tar source.path='shards/train-{000..123}.tar' source.name=train
    nitari ingest collection=shoes source=table source.path=pictures.csv source.column=image
    nitari ingest collection=shoes source=folder source.path=s3://BUCKET/PREFIX
    nitari ingest collection=shoes source=folder source.path=PATH executor=ray executor.address=HOST:6379
    nitari ingest collection=icons source=sample
    nitari ingest collection=flowers source=torchvision source.name=Flowers102 "source.splits=[train,val,test]"

Every file is accounted for: what cannot be read is listed with its reason, and never ends the job. What a source of the
same name no longer lists is marked gone, unless that is more than most_gone of it: then nothing changes. Killed at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from omegaconf import DictConfig

from nitari.catalog import GONE, UNREADABLE, Catalog
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.images.decode import Limits
from nitari.reasons import REASONS
from nitari.startup import frugal
from nitari.steps.ingest import ingest

from .job import instantiate, job, plain
from .progress import Progress

EXAMPLES = 3


class _Counted(Progress):
    """Progress that remembers how many pictures had to be read."""

    read = 0

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        self.read = done - self.first


def run(cfg: DictConfig) -> dict[str, Any]:
    """What the catalog counts, and why what is unreadable is so."""
    collection = Collection(cfg.root, cfg.collection)
    before = collection.find("catalog")
    source = instantiate(cfg.source)
    limits = plain(cfg.limits)
    unknown = set(limits) - set(Limits.__dataclass_fields__)
    if unknown:
        raise ConfigError(f"There is no limit '{unknown.pop()}'. There are: {', '.join(Limits.__dataclass_fields__)}")
    progress = _Counted("Reading")
    start = time.monotonic()
    with frugal():
        listing = [source.listing()]
        listed = time.monotonic()
        artifact = ingest(
            collection,
            listing.pop(),  # nobody else holds it: its columns go as they are used
            source_name=source.name,
            sizes=[cfg.thumbnails] if isinstance(cfg.thumbnails, int) else plain(cfg.thumbnails),
            limits=Limits(**limits),
            background=plain(cfg.background),
            quality=cfg.quality,
            most_gone=cfg.most_gone,
            executor=instantiate(cfg.executor),
            about=source.about,
            progress=progress,
        )
    seconds = time.monotonic() - listed
    catalog = Catalog(artifact)
    return {
        "collection": collection.name,
        "catalog": artifact.id,
        "changed": before is None or before.id != artifact.id,
        "items": artifact.manifest.counts,
        "removed": _removed(collection, catalog),
        "read": progress.read,
        "listing_seconds": round(listed - start, 2),
        "seconds": round(seconds, 2),
        "pictures_per_second": round(progress.read / seconds, 1),
        "unreadable": _unreadable(catalog),
        "columns": catalog.attributes,
    }


def _removed(collection: Collection, catalog: Catalog) -> int:
    """How many items that are gone were removed by hand: their source may list them still."""
    removed, n = Changes(collection).removed_ids(), catalog.artifact.manifest.counts[GONE]
    return int(np.isin(catalog.item_ids[catalog.n_items - n :], removed).sum()) if n and len(removed) else 0


def _unreadable(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """By reason, the commonest first: count, meaning and a few examples."""
    found: dict[str, dict[str, Any]] = {}
    counts = catalog.artifact.manifest.counts
    rows = range(counts["ready"], counts["ready"] + counts[UNREADABLE])
    for row in catalog.records(rows, ["file_name", "reason", "message"]) if rows else []:
        reason = found.setdefault(row["reason"], {"count": 0, "meaning": REASONS.get(row["reason"]), "examples": []})
        reason["count"] += 1
        if len(reason["examples"]) < EXAMPLES:
            reason["examples"].append({"file_name": row["file_name"], "message": row["message"]})
    return dict(sorted(found.items(), key=lambda entry: -entry[1]["count"]))


def show(result: Mapping[str, Any]) -> str:
    items = result["items"]
    lines = [f"{name:<12}{items[name]:>12,}" for name in ("total", "ready", "unreadable", "gone")]
    if result["removed"]:
        lines[-1] += f"  of which {result['removed']:,} were removed by nitari remove"
    for reason, entry in result["unreadable"].items():
        lines += ["", f"{entry['count']:,} unreadable: {reason} ({entry['meaning']})"]
        lines += [f"  {example['file_name']}: {example['message']}" for example in entry["examples"]]
    if result["columns"]:
        lines += ["", f"Columns to filter by: {', '.join(result['columns'])}"]
    state = "" if result["changed"] else ", nothing has changed"
    rate = f" at {result['pictures_per_second']:,.0f} pictures/s" if result["read"] else ""
    lines += [
        "",
        f"Read {result['read']:,} pictures in {result['seconds']:.1f} s{rate}. Catalog {result['catalog']}{state}",
    ]
    return "\n".join(lines)


main = job("ingest", run, show)
