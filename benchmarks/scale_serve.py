"""More like items of a collection, asked of a server one request at a time; for benchmarks/scale.py."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.serve import PORT, fire, items_of, serving
from benchmarks.watch import own
from nitari.collection import Collection

FILTERS = {"half": "width<90", "a tenth": "sha256<'1a'", "a hundredth": "sha256<'028'", "a thousandth": "sha256<'004'"}


def switched(collection: Collection, kind: str) -> Collection:
    """With its newest release of an index of that kind as the current one."""
    for release in map(collection.release, reversed(collection.ids("release"))):
        if f".{kind}." in collection.pinned(release, "index:encoder").manifest.info["index"]:
            if release.id != collection.current:
                collection.switch(release)
            return collection
    sys.exit(f"No release of {collection.path} has an index={kind}. Build one with: again='{kind} build'")


def served(collection: Collection, seconds: float = 20) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with serving(collection, 1) as ready:
        found["ready_seconds"] = round(ready, 1)
        ids = items_of(collection)[:20_000]
        random.Random(0).shuffle(ids)
        pid = int(subprocess.check_output(["pgrep", "-f", f"port={PORT}"]).split()[0])
        for name, where in {"unfiltered": "", **FILTERS}.items():
            asked = [_more_like(item, where) for item in ids]
            fire(asked[::-1], 3, connections=1)
            one = fire(asked, seconds, connections=1)
            found[name] = {key: one[key] for key in ("rate", "p50_ms", "p99_ms", "errors")}
            if one["errors"]:
                sys.exit(f"{one['errors']} requests {name} were answered with errors")
        found["peak_mb"] = round(own(pid))
        start = time.monotonic()
        httpx.get(f"http://127.0.0.1:{PORT}/v1/collection", timeout=120).raise_for_status()
        found["collection_seconds"] = round(time.monotonic() - start, 2)
    return found


def cold(collection: Collection, seconds: float = 10) -> dict[str, Any]:
    """Served when none of its files is in memory: what requests take at once, and after that."""
    asked = [_more_like(item) for item in items_of(collection)[:20_000]]
    random.Random(0).shuffle(asked)
    for file in collection.path.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
    with serving(collection, 1) as ready:
        found = {name: fire(asked, seconds, connections=1) for name in ("at once", "then")}
    kept = ("rate", "p50_ms", "p99_ms", "errors")
    return {"ready_seconds": round(ready, 1)} | {name: {key: one[key] for key in kept} for name, one in found.items()}


def _more_like(item: str, where: str = "") -> str:
    narrowed = f"&where={quote(where)}" if where else ""
    return f"GET /v1/items/{item}/more-like?k=20{narrowed} HTTP/1.1\r\nHost: localhost\r\n\r\n"
