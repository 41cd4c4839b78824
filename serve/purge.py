"""Deletes what is kept of removed items: thumbnails, vectors, and older versions, releases and evaluations that hold or show them.

    nitari remove collection=shoes items=ITEM_ID
    nitari purge collection=shoes

The catalog, every space and the release that is served are made once more without them, so it takes about as long as a
build. Originals belong to their source, and stay. What was purged cannot be restored. Killed, the same command goes on.

Settings:

    collection    name of the collection
    threads       threads (one a core)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nitari.arguments import choose, parse
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.command import ROOT

from .api.uploads import Uploads

SETTINGS: dict[str, Any] = {"collection": str, "threads": 0, "format": "table", "root": ROOT}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "purge")
    as_json = choose(values, "format", ("table", "json")) == "json"
    from nitari.steps.progress import Progress
    from nitari.steps.purge import purge

    collection = Collection.existing(values["root"], values["collection"])
    done = purge(collection, threads=values["threads"] or None, progress=Progress("Building"))
    originals = Uploads(collection).forget(Changes(collection).removed())
    text = f"Purged {done.items:,} removed items; deleted {done.artifacts:,} older artifacts. Release {done.release}"
    text += f"\nDeleted {originals:,} originals that were uploaded" if originals else ""
    print(json.dumps({"collection": collection.name, **done._asdict(), "originals": originals}) if as_json else text)
    return 0
