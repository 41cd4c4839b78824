"""Frees what no kept release needs: older releases and all that only they pin, additions taken in, work of dead jobs.

    nitari gc collection=shoes dry=true
    nitari gc collection=shoes keep=2

Kept are the newest releases, those that were served last, the current one, and all that they pin; beside them the newest
catalog, encoders, spaces and annotations, which the next build is made of, and every evaluation. Refused while a job is at
work. Whoever has a file open goes on reading it.

Settings:

    collection    name of the collection
    keep          releases that are kept: so many of the newest, and so many of those that were served last (3)
    idle          days for which nobody touched a job's unfinished work, or pictures cached for training, to be given up (7)
    dry           only say what would be freed (false)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nitari.arguments import choose, parse
from nitari.collection import Collection
from nitari.command import ROOT

from .show import size

SETTINGS: dict[str, Any] = {
    "collection": str,
    "keep": 3,
    "idle": 7.0,
    "dry": False,
    "format": "table",
    "root": ROOT,
}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "gc")
    as_json = choose(values, "format", ("table", "json")) == "json"
    from nitari.steps.gc import gc

    collection = Collection.existing(values["root"], values["collection"])
    freed = gc(collection, keep=values["keep"], idle=values["idle"], dry=values["dry"])
    found = {"collection": collection.name, "dry": values["dry"], **freed._asdict()}
    print(json.dumps(found, ensure_ascii=False) if as_json else show(found))
    return 0


def show(found: Mapping[str, Any]) -> str:
    lines = [f"  {size(entry['bytes']):>9}  {entry['path']}" for entry in found["freed"]]
    verb = "Would free" if found["dry"] else "Freed"
    return "\n".join(
        [*lines, f"{verb} {size(found['bytes'])}. Kept releases: {', '.join(found['releases']) or 'none'}"]
    )
