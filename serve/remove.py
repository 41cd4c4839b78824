"""Takes items out of a collection: no query finds them from now on, in any release, and no later ingest brings them back.

    nitari remove collection=shoes items=ITEM_ID,OTHER_ID
    nitari remove collection=shoes where="seller='closed'"
    nitari remove collection=shoes items=ITEM_ID restore=true

Their thumbnails and vectors stay on the disk until: nitari purge collection=shoes

Settings:

    collection    name of the collection
    items         item ids or file names, separated by commas
    where         all items that this filter admits
    restore       take a removal back, as long as nothing was purged (false)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nitari.arguments import choose, items, named, parse
from nitari.changes import Changes
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError, QueryError
from nitari.startup import without_pandas

SETTINGS: dict[str, Any] = {
    "collection": str,
    "items": None,
    "where": None,
    "restore": False,
    "format": "table",
    "root": ROOT,
}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "remove")
    as_json = choose(values, "format", ("table", "json")) == "json"
    if (values["items"] is None) == (values["where"] is None):
        raise ConfigError('Say which items: items=ID,ID or where="…", one of the two')
    without_pandas()
    collection = Collection.existing(values["root"], values["collection"])
    chosen = _chosen(collection, values)
    changes = Changes(collection)
    changed = changes.restore(chosen) if values["restore"] else changes.remove(chosen)
    result = {
        "collection": collection.name,
        "named": len(chosen),
        "changed": changed,
        "removed": len(changes.removed()),
    }
    what = "Restored" if values["restore"] else "Removed"
    text = f"{what} {changed:,} of {len(chosen):,} items; {result['removed']:,} are removed in all"
    if values["restore"] and (lost := _purged(collection, chosen)):
        result["purged"] = lost
        text += (
            f"\n{lost:,} of them {'was' if lost == 1 else 'were'} purged meanwhile, and come{'s' * (lost == 1)} back when the "
            f"source is read again: {collection.command('ingest', 'source.path=…')}"
        )
    if not chosen:
        result["why"] = why = _why(collection, values["where"])
        text += f"\n{why}" if why else ""
    print(json.dumps(result) if as_json else text)
    return 0


def _purged(collection: Collection, chosen: Sequence[str]) -> int:
    """How many of the items are in no row that could be shown."""
    import numpy as np

    from nitari.catalog import Catalog
    from nitari.cells import ID
    from nitari.recommend.live import Live

    stored, ids = Catalog(collection.latest("catalog")), np.array(chosen, ID)
    rows, added = stored.find(ids), Live(collection, stored, {}).catalog.added_ids
    return int((((rows < 0) | (rows >= stored.n_ready)) & ~np.isin(ids, added)).sum())


def _why(collection: Collection, where: str) -> str | None:
    from nitari.recommend.recommender import Recommender
    from nitari.recommend.unmatched import unmatched

    recommender = Recommender.open(collection)
    return unmatched(recommender.catalog, where, recommender.hidden) or None


def _chosen(collection: Collection, values: dict[str, Any]) -> list[str]:
    """Item ids. QueryError on an item that neither the release nor what was added or removed knows."""
    from nitari.recommend.recommender import Recommender

    catalog = Recommender.open(collection).catalog
    ids = catalog.item_ids
    if values["where"] is not None:
        selection = catalog.select(values["where"])
        return [] if selection is None else [ids[row].decode() for row in selection.rows]
    removed = Changes(collection).removed()

    if not items(values["items"]):
        raise QueryError("items is empty. Give item ids or file names, separated by commas")
    return named(values["items"], lambda item: item if item in removed else ids[catalog.row(item)].decode())
