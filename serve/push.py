"""Copies a release, and all that it pins, to an object store: for other machines to pull, or to be safe.

    nitari push collection=shoes to=s3://bucket/nitari
    nitari push collection=shoes to=s3://bucket/nitari release=ID

Every file is stored under its checksum, once, and manifests last: what is half copied is never pulled. Killed at any
moment, the same command goes on; of the next release only what is new is sent. What was removed is told as well; additions
are not part of a release: build first. Credentials and the endpoint come from the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL). Needs the extra `remote`.

Settings:

    collection    name of the collection
    to            URL of a folder in a store: s3://bucket/folder
    release       id of a release; without it the current one
    full          send again what is there already (false)
    threads       files that are sent at once (4)
    format        table | json (table)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nitari.arguments import choose, parse
from nitari.collection import Collection
from nitari.command import ROOT

from .show import size

SETTINGS: dict[str, Any] = {
    "collection": str,
    "to": str,
    "release": None,
    "full": False,
    "threads": 4,
    "format": "table",
    "root": ROOT,
}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "push")
    from nitari.steps.progress import Progress
    from nitari.steps.transfer import push

    collection = Collection.existing(values["root"], values["collection"])
    how = {key: values[key] for key in ("full", "threads")}
    progress = Progress("Sending", "kB")
    return report(values, "Sent", lambda: push(collection, values["to"], values["release"], **how, progress=progress))


def report(values: Mapping[str, Any], verb: str, transfer: Callable[[], Any]) -> int:
    """Do the transfer, and print what it did by ``format``."""
    as_json = choose(values, "format", ("table", "json")) == "json"
    start = time.monotonic()
    done = transfer()
    found = {"collection": values["collection"], **done._asdict(), "seconds": round(time.monotonic() - start, 2)}
    rate = f", {done.bytes / 1e6 / max(found['seconds'], 0.01):.1f} MB/s" if done.bytes else ""
    text = (
        f"{verb} release {done.release}, {done.artifacts} artifacts: {done.files:,} files, {size(done.bytes)} "
        f"in {found['seconds']:.1f} s{rate}; {done.kept:,} files were there already"
    )
    print(json.dumps(found, ensure_ascii=False) if as_json else text)
    return 0
