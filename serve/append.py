"""Adds pictures to a collection that is being served: they are found at once, and nothing is built again.

    nitari append collection=shoes path=NEW_FOLDER
    nitari append collection=shoes path=PATH source=main
    nitari append collection=shoes path=photo.jpg format=json

Pictures are read with the limits of the release and extracted in all of its spaces; what is there already is passed over,
and what cannot be read is listed with its reason. Running servers and commands see them with their next query. The same
path may be given again: only what is new is added. Ingest the source and build, now and then, to take them into the index.

Settings:

    collection    name of the collection
    path          a folder, .tar files, a .csv, .jsonl or .parquet of paths, or one picture
    source        name of the source that they belong to; the one the collection was ingested from keeps their ids (main)
    threads       threads and worker processes (one a core)
    format        table | json (table)
    release       id of a release whose spaces they are extracted in (the current one)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib import resources
from typing import Any

from nitari.arguments import choose, parse
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError
from nitari.startup import without_pandas

SETTINGS: dict[str, Any] = {
    "collection": str,
    "path": str,
    "source": "main",
    "threads": 0,
    "format": "table",
    "release": None,
    "root": ROOT,
}
SHOWN = 5  # pictures listed on the terminal


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "append")
    as_json = choose(values, "format", ("table", "json")) == "json"
    without_pandas()
    collection = Collection.existing(values["root"], values["collection"])
    found = run(collection, values)
    print(json.dumps(found, ensure_ascii=False) if as_json else show(found, collection))
    return 0


def _items(collection: Collection, addition: str | None) -> list[dict[str, Any]]:
    """``item_id`` and ``file_name`` of each picture that was added."""
    from nitari.catalog import Catalog

    if addition is None:
        return []
    catalog = Catalog(Changes(collection).addition(addition).latest("catalog"))
    return catalog.records(range(catalog.n_ready), ["item_id", "file_name"])


def _kinds() -> list[str]:
    """Of sources, as ``nitari ingest source=KIND`` takes them."""
    return [file.name.removesuffix(".yaml") for file in (resources.files("nitari.conf") / "source").iterdir()]


def _sources(collection: Collection) -> set[str]:
    """Names that sources have, of the catalog and of what was appended."""
    changes = Changes(collection)
    told = [changes.told(addition) for addition in changes.ids()]
    return {*collection.latest("catalog").manifest.info["sources"], *(one.source for one in told if one)}


def run(collection: Collection, values: dict[str, Any]) -> dict[str, Any]:
    from nitari.source.named import named
    from nitari.steps.append import append
    from nitari.steps.progress import Progress

    source = named(values["path"], values["source"])
    if source.name in _kinds() and source.name not in _sources(collection):
        raise ConfigError(
            f"source is '{source.name}', a kind of source, and here it is the name of one. The kind is found out from path; "
            "leave it out, or give the source.name that the pictures were ingested with"
        )
    start = time.monotonic()
    done = append(
        collection,
        source.listing(),
        source_name=source.name,
        about=source.about,
        release=values["release"],
        workers=values["threads"] or None,
        progress=Progress("Reading"),
    )
    return {
        "collection": collection.name,
        "addition": done.addition,
        "added": done.counts.get("ready", 0),
        "items": _items(collection, done.addition),
        "known": done.known,
        "removed": done.removed,
        "refused": done.refused,
        "seconds": round(time.monotonic() - start, 2),
    }


def show(found: dict[str, Any], collection: Collection) -> str:
    """What came of it for people; the ids of a few, and where all are."""
    added, items = found["added"], found["items"]
    from nitari.catalog import FILE

    lines = [
        f"Added {added:,} picture{'s' * (added != 1)} in {found['seconds']:.1f} s; {found['known']:,} were there already"
    ]
    lines += [f"  {item['item_id']}  {item['file_name']}" for item in items[:SHOWN]]
    if len(items) > SHOWN:
        catalog = Changes(collection).addition(found["addition"]).latest("catalog")
        lines.append(f"  and {len(items) - SHOWN:,} more; all are in '{catalog.path / FILE}', column item_id")
    lines += [f"More like one: {collection.command('recommend', 'like=' + items[0]['item_id'])}"] if items else []
    if found["removed"]:
        back = collection.command("remove", "items=ID,…", "restore=true")
        lines.append(f"{found['removed']:,} were removed before, and stay so. Take that back with: {back}")
    refused = found["refused"]
    lines += [f"{len(refused):,} cannot be read"] if refused else []
    lines += [f"  {row['file_name']}: {row['message'] or row['reason']}" for row in refused[:SHOWN]]
    return "\n".join(lines)
