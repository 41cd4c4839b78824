"""The API under trial: does it do what its OpenAPI document says, and what do odd filters, cursors and pictures do to it?

    .venv/bin/python -m benchmarks.api [cases=10000] [fuzz=5000] [nasty=../shared/data/nasty]

Starts `nitari serve` on a small collection in a process of its own. Schemathesis makes requests that the document allows
and requests that it does not: no answer may be a 5xx, or other than described. Then filters, cursors and bodies that were
mutated from good ones, and every nasty picture as an upload, whole and cut. The server has to stay up, to answer /healthz
within a second throughout, and its resident memory may grow by 64 MB at most. Writes benchmarks/results/api.json.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis import checks as known
from schemathesis.checks import FailureGroup

from benchmarks.pictures import make
from nitari.collection import Collection
from nitari.serve.api.settings import TOKEN
from nitari.source.tar import TarSource
from nitari.steps.build import build
from nitari.steps.ingest import ingest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DEFAULTS = {"cases": "10000", "fuzz": "5000", "nasty": str(ROOT.parent / "shared" / "data" / "nasty"), "seed": "0"}
DESCRIBED = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "negative_data_rejection"),
)
FILTERS = (
    "folder=apple and width<90",
    "folder in (apple, 'a b') or not (height >= 3)",
    "folder is not null",
    "width!=5",
)
PORT = 8765


def described(
    schema: Any, ids: Sequence[str], mode: GenerationMode, cases: int, seed: int = 0
) -> tuple[Counter[str], list[str]]:
    """(requests by operation, what was answered otherwise than described) of ``cases`` requests an operation at most.

    Half of the items that are asked for are among ``ids``.
    """

    @schema.hook
    def map_path_parameters(context: Any, parameters: Any) -> Any:
        number = zlib.crc32(str((parameters or {}).get("item_id")).encode())
        if parameters and "item_id" in parameters and number % 2:
            return {**parameters, "item_id": ids[number % len(ids)]}
        return parameters

    known.load_all_checks()
    checks = [known.CHECKS.get_one(name) for name in DESCRIBED]
    asked: Counter[str] = Counter()
    failures = []
    how = settings(
        max_examples=cases,
        deadline=None,
        derandomize=seed == 0,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def trial(strategy: Any) -> Any:
        @how
        @given(case=strategy)
        def try_it(case: Any) -> None:
            asked[case.operation.label] += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                case.call_and_validate(checks=checks)

        return try_it

    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            trial(operation.as_strategy(generation_mode=mode))()
        except Unsatisfiable:  # what takes nothing cannot be asked wrongly
            continue
        except FailureGroup as failure:
            failures.append(f"{operation.label}: {failure} {[str(one) for one in failure.exceptions]}")
    return asked, failures


def main() -> None:
    given = DEFAULTS | dict(word.split("=", 1) for word in sys.argv[1:])
    if set(given) - set(DEFAULTS):
        sys.exit(f"There are: {', '.join(DEFAULTS)}")
    seed = int(given["seed"])
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (url, process):
        ids = [one["item_id"] for one in httpx.get(f"{url}/v1/items?k=200").json()["results"]]
        before = _memory(process.pid)
        with _pulse(url) as pulse:
            schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
            operations = len([*schema.get_all_operations()])
            asked: Counter[str] = Counter()
            failures: list[str] = []
            each = -(-int(given["cases"]) // (2 * operations)) * 4 // 3
            for mode in GenerationMode:
                more, wrong = described(schema, ids, mode, each, seed)
                asked += more
                failures += wrong
            after_schema = _memory(process.pid)
            statuses = Counter(fuzz(url, ids, int(given["fuzz"]), seed))
            after_fuzz = _memory(process.pid)
            uploads = Counter(nasty(url, Path(given["nasty"])))
            after_nasty = _memory(process.pid)
        alive = process.poll() is None
    result = {
        "cases": sum(asked.values()),
        "operations": operations,
        "failures": failures,
        "fuzzed": dict(sorted(statuses.items())),
        "nasty_uploads": dict(sorted(uploads.items())),
        "alive": alive,
        "slowest_healthz_seconds": round(max(pulse), 3),
        "memory_mb": {
            "start": before,
            "after_cases": after_schema,
            "after_fuzz": after_fuzz,
            "after_nasty": after_nasty,
        },
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "api.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    bad = failures or not alive or any(status >= "500" and status != "503" for status in [*statuses, *uploads])
    sys.exit(1 if bad else 0)


@contextmanager
def serving(folder: Path, n: int = 2000, port: int = PORT) -> Any:
    """(url, process) of a server on ``n`` made pictures in two spaces, with words."""
    (folder / "pictures").mkdir()
    make(n, folder / "pictures")
    collection = Collection(folder / "collections", "trial")
    ingest(collection, TarSource(str(folder / "pictures")).listing(), source_name="main", sizes=[96])
    nitari = str(Path(sys.executable).with_name("nitari"))
    where = ["collection=trial", f"root={collection.path.parent}"]
    for name in ("hog", "colour"):
        subprocess.run([nitari, "extract", *where, f"extractor={name}"], check=True)
    build(collection, {"_target_": "nitari.index.hnsw.Hnsw"}, text=["file_name"])
    words = [nitari, "serve", *where]
    process = subprocess.Popen(
        [*words, f"port={port}", "log=warning", "upload=60000000"], env={**os.environ, TOKEN: "a-token-of-the-trial"}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                continue
        else:
            sys.exit("The server did not start")
        yield url, process
    finally:
        process.terminate()
        process.wait(20)


def fuzz(url: str, ids: Sequence[str], count: int, seed: int) -> Iterable[str]:
    """Statuses of requests whose filter, cursor, words or body were mutated."""
    chance = random.Random(seed)
    with httpx.Client(timeout=30) as client:
        after = client.get(f"{url}/v1/items?k=3").json()["after"]
        for number in range(count):
            kind = number % 5
            text = mutated(chance.choice(FILTERS), chance)
            if kind == 0:
                answer = client.get(f"{url}/v1/items", params={"where": text})
            elif kind == 1:
                answer = client.get(f"{url}/v1/items", params={"after": mutated(after, chance)})
            elif kind == 2:
                answer = client.get(f"{url}/v1/items", params={"text": mutated("red apple 東京", chance)})
            elif kind == 3:
                answer = client.post(f"{url}/v1/recommend", json={"like": [chance.choice(ids)], "where": text})
            else:
                body = mutated(json.dumps({"like": [chance.choice(ids)], "k": 3, "weights": {"hog": 1}}), chance)
                answer = client.post(
                    f"{url}/v1/recommend",
                    content=body.encode("utf-8", "replace"),
                    headers={"Content-Type": "application/json"},
                )
            if answer.status_code >= 500:
                print(answer.request.url, answer.request.content[:300], answer.text, file=sys.stderr)
            yield str(answer.status_code)


def mutated(text: str, chance: random.Random) -> str:
    """A few characters dropped, doubled, swapped, or replaced by odd ones; now and then thousands of them."""
    letters = list(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(letters) + 1)
        odd = chance.choice(
            ["\0", "'", '"', "(", ")", "\ud83d\ude00", "é", "\n", "%", "=", "<", " and ", "9" * 40, "("]
        )
        match chance.randrange(5):
            case 0:
                letters[at:at] = odd
            case 1:
                letters[at : at + 1] = []
            case 2:
                letters[at:at] = letters[:at]
            case 3:
                letters[at : at + 1] = [odd]
            case 4:
                letters[at:at] = [odd] * chance.choice([1, 1, 1, 3000])
    return "".join(letters)[:6000].encode("utf-8", "replace").decode()


def nasty(url: str, folder: Path) -> Iterable[str]:
    """Statuses of every file of ``folder`` as an upload, and of its first half."""
    with httpx.Client(timeout=120) as client:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            for part in (data, data[: len(data) // 2]):
                answer = client.post(f"{url}/v1/recommend/upload", files={"picture": (path.name, part)})
                if answer.status_code >= 500:
                    print(path, answer.text, file=sys.stderr)
                yield str(answer.status_code)


@contextmanager
def _pulse(url: str) -> Any:
    """Seconds that /healthz took, ten times a second, all the while."""
    found, stop = [0.0], threading.Event()

    def beat() -> None:
        with httpx.Client(timeout=60) as client:
            while not stop.wait(0.1):
                start = time.monotonic()
                client.get(f"{url}/healthz")
                found.append(time.monotonic() - start)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _memory(pid: int) -> float:
    """Resident megabytes that are the process's own: pages of mapped files come and go."""
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split("RssAnon:")[1].split()[0]) / 1024, 1)


if __name__ == "__main__":
    main()
