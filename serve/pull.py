"""Fetches a release that was pushed to an object store, verifies it, and makes it the one that is served.

    nitari pull collection=shoes from=s3://bucket/nitari
    nitari pull collection=shoes from=s3://bucket/nitari release=ID switch=false

Files are fetched once and kept, each is checked by its sha256, and the release is switched to once all of it is there and
right. Killed at any moment, the same command goes on. What was removed at the origin is hidden here as well. A server that
runs notices the switch. Credentials and the endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_ENDPOINT_URL). Needs the extra `remote`.

Settings:

    collection    name of the collection
    from          URL of a folder in a store: s3://bucket/folder
    release       id of a release; without it the one that was pushed last
    switch        make it the current one (true)
    threads       files that are fetched at once (4)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nitari.arguments import parse
from nitari.collection import Collection
from nitari.command import ROOT

from .push import report

SETTINGS: dict[str, Any] = {
    "collection": str,
    "from": str,
    "release": None,
    "switch": True,
    "threads": 4,
    "format": "table",
    "root": ROOT,
}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "pull")
    from nitari.steps.progress import Progress
    from nitari.steps.transfer import pull

    collection = Collection(values["root"], values["collection"])
    how = {key: values[key] for key in ("switch", "threads")}
    progress = Progress("Fetching", "kB")
    return report(
        values, "Fetched", lambda: pull(collection, values["from"], values["release"], **how, progress=progress)
    )
