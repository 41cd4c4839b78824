"""The server under load: requests a second, latencies, start, memory, swaps, uploads; and a soak.

    .venv/bin/python -m benchmarks.serve [items=100000] [workers=2] [seconds=15] [root=.bench/serve]
    .venv/bin/python -m benchmarks.serve soak minutes=30 [rate=0: half of what was measured]

Makes a collection of made pictures (benchmarks/pictures.py) with three spaces, once; then starts `nitari serve` and the
generator of benchmarks/load.py beside it on the same cores. Every request asks for another item. The bare route is a
function of uvicorn's that answers 100 bytes. Latencies at half load count from when a request should have left. Memory is
the worker's own (RssAnon) and all that it has mapped (Rss). Writes benchmarks/results/serve.json and benchmarks/serve.md.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.load import memory
from benchmarks.pictures import make
from benchmarks.serve_report import report
from nitari.collection import Collection

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "serve.json"
PAGE = ROOT / "benchmarks" / "serve.md"
BIN = Path(sys.executable).parent
DEFAULTS = {
    "items": "100000",
    "workers": "2",
    "seconds": "15",
    "minutes": "30",
    "rate": "0",
    "root": str(ROOT / ".bench" / "serve"),
}
WEIGHTS = "{encoder: 1, hog: 0.5, colour: 0.5}"
PORT = 8300
BARE = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b" " * 100})
"""


def main() -> None:
    given = DEFAULTS | dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"There is no {', '.join(unknown)}. There are: soak, {', '.join(DEFAULTS)}")
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    root, items, workers = Path(given["root"]), int(given["items"]), int(given["workers"])
    collection = prepared(root, items)
    if "soak" in sys.argv[1:]:
        rate = float(given["rate"]) or results["load"]["three spaces"]["rate"] / 2
        results["soak"] = soak(collection, workers, float(given["minutes"]), rate)
    else:
        results |= load(collection, workers, float(given["seconds"]))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(report(results), encoding="utf-8")
    print(report(results))


def prepared(root: Path, items: int) -> Collection:
    """A collection of made pictures with a short-trained encoder, HOG and colour; what is there is used again."""
    collection = Collection(root, "big")
    if collection.current is None:
        pictures = root / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        make(items, pictures)
        where = [f"root={root}", "collection=big"]
        nitari("ingest", *where, "source=tar", f"source.path={pictures}")
        nitari("fit", *where, "+experiment=fast", "trainer.max_steps=150")
        for name in ("encoder", "hog", "colour"):
            nitari("extract", *where, f"extractor={name}")
        nitari("annotate", *where, "annotator=colours")
        nitari("build", *where, f"release.weights={WEIGHTS}", "facets=[main_colour]", "text.columns=[file_name]")
    return collection


def nitari(*words: str) -> None:
    subprocess.run([str(BIN / "nitari"), *words], check=True)


@contextmanager
def serving(collection: Collection, workers: int) -> Iterator[float]:
    """Seconds from start to ready, of a server that runs meanwhile."""
    words = ["serve", f"collection={collection.name}", f"root={collection.path.parent}", f"port={PORT}"]
    start = time.monotonic()
    process = subprocess.Popen(
        [str(BIN / "nitari"), *words, f"workers={workers}", "log=warning"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NITARI_TOKEN": "a-token-of-the-benchmark"},
    )
    try:
        yield _ready(process, start)
    finally:
        process.terminate()
        process.wait(30)


def _ready(process: subprocess.Popen[bytes], start: float) -> float:
    while True:
        if process.poll() is not None:
            sys.exit("The server ended")
        try:
            httpx.get(f"http://127.0.0.1:{PORT}/readyz").raise_for_status()
            return time.monotonic() - start
        except httpx.HTTPError:
            time.sleep(0.02)


def load(collection: Collection, workers: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {"items": 0, "workers": workers, "load": {}}
    with bare():
        found["load"]["bare uvicorn route"] = fire(["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"], seconds, PORT + 1)
    with serving(collection, workers) as ready:
        found["start_to_ready_seconds"] = round(ready, 2)
        ids = items_of(collection)
        found["items"] = len(ids)
        found["memory_mb"] = {"idle": memory(PORT)}
        paths = {
            "healthz": ["/healthz"],
            "thumbnail": [f"/v1/items/{item}/thumbnail" for item in ids],
            "one space": [f"/v1/items/{item}/more-like?weights=encoder:1" for item in ids],
            "three spaces": [f"/v1/items/{item}/more-like" for item in ids],
            "one space, a tenth admitted": [
                f"/v1/items/{item}/more-like?weights=encoder:1&where=main_colour=purple" for item in ids
            ],
        }
        for name, asked in paths.items():
            requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in asked]
            fire(requests[::-1], seconds / 5)  # to warm it up
            peak = fire(requests, seconds)
            half = fire(requests[len(requests) // 2 :] or requests, seconds, rate=peak["rate"] / 2)
            found["load"][name] = peak | {"half": half}
        found["upload"] = uploads(collection, ids)
        found["memory_mb"]["after"] = memory(PORT)
        found["swap"] = swap(collection, ids)
    found["resident_index_mb"] = round(_size(collection) / 1e6)
    return found


@contextmanager
def bare() -> Iterator[None]:
    command = [str(BIN / "uvicorn"), "bare:app", "--port", str(PORT + 1), "--log-level", "error", "--no-access-log"]
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    (folder / "bare.py").write_text(BARE)
    process = subprocess.Popen(command, cwd=folder)
    time.sleep(2)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def fire(
    requests: Sequence[str], seconds: float, port: int = PORT, rate: float = 0, connections: int = 16
) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(seconds), str(connections), str(rate)]
    done = subprocess.run(
        command, input=json.dumps(list(requests)), text=True, capture_output=True, cwd=ROOT, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def items_of(collection: Collection) -> list[str]:
    from nitari.catalog import Catalog

    catalog = Catalog.pinned(collection, collection.release())
    ids = [item.decode() for item in catalog.item_ids[: catalog.n_ready].tolist()]
    random.Random(0).shuffle(ids)
    return ids


def uploads(collection: Collection, ids: Sequence[str], count: int = 60) -> dict[str, Any]:
    """Milliseconds from an upload to its answer, in three spaces, one after another: thumbnails, and photos of 4 MP."""
    import io

    from PIL import Image

    found: dict[str, Any] = {}
    with httpx.Client(timeout=60) as client:
        url = f"http://127.0.0.1:{PORT}/v1"
        small = [client.get(f"{url}/items/{item}/thumbnail").content for item in ids[:count]]
        large = []
        for data in small[: count // 3]:
            out = io.BytesIO()
            Image.open(io.BytesIO(data)).resize((2000, 2000)).save(out, "JPEG", quality=85)
            large.append(out.getvalue())
        for name, pictures in (("thumbnail", small), ("4 MP photo", large)):
            times = []
            for data in pictures:
                start = time.perf_counter()
                client.post(f"{url}/recommend/upload", files={"picture": ("a.jpg", data)}).raise_for_status()
                times.append((time.perf_counter() - start) * 1000)
            found[name] = {
                "p50_ms": round(float(np.percentile(times, 50)), 1),
                "p99_ms": round(float(np.percentile(times, 99)), 1),
            }
    return found


def swap(collection: Collection, ids: Sequence[str], times: int = 100) -> dict[str, Any]:
    """Switch between two releases ``times`` times under load: failures, and the most memory on the way."""
    first = collection.release()
    where = [f"root={collection.path.parent}", f"collection={collection.name}"]
    nitari("build", *where, "release.weights={encoder: 1}", "facets=[main_colour]", "switch=false")
    other = collection.open("release", collection.ids("release")[-1])
    most, stop = [memory(PORT)], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            most.append(memory(PORT))

    thread = threading.Thread(target=watch)
    thread.start()
    load_now = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", str(PORT), str(times * 2.0), "4", "50"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert load_now.stdin is not None
    json.dump([f"GET /v1/items/{item}/more-like HTTP/1.1\r\nHost: localhost\r\n\r\n" for item in ids], load_now.stdin)
    load_now.stdin.close()
    seen = 0
    with httpx.Client() as client:
        for number in range(times):
            wanted = (other, first)[number % 2]
            collection.switch(wanted)
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if client.get(f"http://127.0.0.1:{PORT}/readyz").json()["release"] == wanted.id:
                    seen += 1
                    break
                time.sleep(0.05)
    assert load_now.stdout is not None
    answered = json.loads(load_now.stdout.read())
    stop.set()
    thread.join()
    collection.switch(first)
    own = [one["own"] for one in most]
    return {"swaps": seen, **answered, "own_mb_before": own[0], "own_mb_most": max(own)}


def soak(collection: Collection, workers: int, minutes: float, rate: float) -> dict[str, Any]:
    """Half the peak load for a while, minute by minute."""
    rows = []
    with serving(collection, workers):
        ids = items_of(collection)
        asked = [f"GET /v1/items/{item}/more-like HTTP/1.1\r\nHost: localhost\r\n\r\n" for item in ids]
        asked += [f"GET /v1/items/{item}/thumbnail HTTP/1.1\r\nHost: localhost\r\n\r\n" for item in ids[::10]]
        random.Random(1).shuffle(asked)
        for minute in range(round(minutes)):
            at = minute * 7919 % len(asked)
            rows.append(fire(asked[at:] + asked[:at], 60, rate=rate) | {"own_mb": memory(PORT)["own"]})
            print(f"minute {minute + 1}: {rows[-1]}", file=sys.stderr, flush=True)
    third = max(len(rows) // 3, 1)
    return {
        "minutes": len(rows),
        "rate": round(rate, 1),
        "errors": sum(row["errors"] for row in rows),  # what was on its way as a minute ended is none
        "p99_ms_first_third": round(float(np.median([row["p99_ms"] for row in rows[:third]])), 2),
        "p99_ms_last_third": round(float(np.median([row["p99_ms"] for row in rows[-third:]])), 2),
        "own_mb": [row["own_mb"] for row in rows],
        "p99_ms": [row["p99_ms"] for row in rows],
    }


def _size(collection: Collection) -> int:
    """Bytes of the current release's indexes and vectors."""
    release = collection.release()
    total = 0
    for role, parent in release.manifest.parents.items():
        if role.startswith(("index:", "embeddings:")):
            artifact = collection.open(parent["kind"], parent["id"], role.partition(":")[2])
            total += sum(entry["size"] for entry in artifact.manifest.files.values())
    return total


if __name__ == "__main__":
    main()
