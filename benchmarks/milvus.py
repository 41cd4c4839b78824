"""A Milvus server beside hnsw in this process: rows a second, the graph, latencies, recall, filters, and memory.

    .venv/bin/python -m benchmarks.milvus [100000]

The vectors and the filters of benchmarks/filtered.py. The server is that of the wheel milvus==2.3.5, which
`make test-milvus` installs, in a network of its own; without it, nothing is done. Wall times of one client, on the same machine. Writes
benchmarks/results/milvus.json and .md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.filtered import attributes
from benchmarks.search import DIM, RESULTS, K, patches
from nitari.filters import Selection, parse
from nitari.index import Index
from nitari.index.exact import Exact
from nitari.index.expressions import expression
from nitari.index.hnsw import Hnsw
from nitari.index.milvus import Milvus
from nitari.index.remote import URI
from nitari.index.scan import rank
from nitari.index.tuning import ann_recall, tune
from nitari.space import Space

ROOT = Path(__file__).parent.parent
WHERE = ("", "alike2=v1", "random2=v1", "random10=v1", "alike10=v1")
ASKED = 500


def main() -> int:
    server = ROOT / ".milvus-venv" / "bin" / "python"
    if URI not in os.environ:
        if not server.exists():
            print("There is no Milvus server here. Install it with: make .milvus-venv/.installed")
            return 0
        command = [str(server), str(ROOT / "tests" / "milvus" / "server.py"), sys.executable, "-m", "benchmarks.milvus"]
        return subprocess.call([*command, *sys.argv[1:]])
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    vectors, queries, _ = patches(n)
    queries = queries[:ASKED]
    space = Space("patches", "cosine", DIM)
    columns = attributes(vectors)
    columns = columns.select([where.partition("=")[0] for where in WHERE if where])
    exact = Exact(space)
    exact.build(vectors)
    rows: list[dict[str, Any]] = []
    for name, index in (("hnsw", Hnsw(space)), ("milvus", Milvus(space))):
        before = memory()
        start = time.perf_counter()
        index.build(vectors, columns)
        row: dict[str, Any] = {"index": name, "build_s": time.perf_counter() - start}
        if isinstance(index, Milvus):
            row |= phases(index, vectors) | {"server_mb_before": before["VmRSS"], "server_mb": memory()["VmRSS"]}
            row["server_mb_most"] = memory()["VmHWM"]
            with tempfile.TemporaryDirectory() as folder:
                parameters = index.save(Path(folder))
                start = time.perf_counter()
                Milvus.load(Path(folder), space, vectors, parameters)
                row["open_s"] = time.perf_counter() - start
        tune(index, vectors, k=K, target=0.99, queries=1000, seed=0)
        row["effort"] = getattr(index, index.sweep[0]) if index.sweep else None
        for where in WHERE:
            row[where or "all"] = asked(index, exact, queries, columns, where)
        if isinstance(index, Milvus):
            row["plans"] = dict(index.plans)
            row["sent"] = sent(index, exact, queries, columns)
            row |= changed(index, vectors)
            index.drop()
        print(json.dumps(row), flush=True)
        rows.append(row)
    report({"vectors": n, "dim": DIM, "k": K, "queries": ASKED, "cores": os.cpu_count(), "indexes": rows})
    return 0


def phases(index: Milvus, vectors: np.ndarray) -> dict[str, float]:
    """Rows a second that the server takes, by sending 20,000 to a collection that goes again."""
    other = Milvus(index.space, index.uri, "rate", scan_below=0)
    other.build(vectors[:1000])
    rows = np.arange(1000, 21_000)
    start = time.perf_counter()
    other.upsert(rows, vectors[rows])
    rate = len(rows) / (time.perf_counter() - start)
    other.drop()
    return {"rows_a_second": rate}


def sent(index: Milvus, exact: Exact, queries: np.ndarray, columns: Any) -> dict[str, float]:
    """The recall of the server's own filtered search, whatever it is asked for: why only narrow filters are sent."""
    found = {}
    table, stored = index._opened(), {column.column: column for column in index._columns}
    for where in filter(None, WHERE):
        column, value = where.split("=")
        truth = exact.search(queries, K, where=Selection.of(None, columns.column(column).to_numpy() == value)).distances
        written = expression(parse(where), stored)
        near = table.search(queries, 3 * K, 1600, written or "")
        found[where] = float(
            np.mean(
                [
                    (rank(index.space, q, exact._whole.scan.vectors, rows, K)[1] <= t[-1] + 1e-6).sum() / K
                    for q, rows, t in zip(queries, near, truth, strict=True)
                ]
            )
        )
    return found


def changed(index: Milvus, vectors: np.ndarray) -> dict[str, float]:
    """Milliseconds until one row is appended, and one deleted."""
    n, spent = len(vectors), []
    for i in range(100):
        start = time.perf_counter()
        index.upsert(np.array([n + i]), vectors[i : i + 1])
        middle = time.perf_counter()
        index.delete(np.array([i]))
        spent.append((middle - start, time.perf_counter() - middle))
    append, delete = np.median(np.array(spent), axis=0) * 1e3
    return {"append_ms": float(append), "delete_ms": float(delete)}


def asked(index: Index, exact: Exact, queries: np.ndarray, columns: Any, where: str) -> dict[str, float]:
    selection = None
    if where:
        column, value = where.split("=")
        selection = Selection.of(parse(where), columns.column(column).to_numpy() == value)
    truth = exact.search(queries, K, where=selection).distances
    index.search(queries, K, where=selection)
    spent, found = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(index.search(query, K, where=selection).distances[0])
        spent.append(time.perf_counter() - start)
    start = time.perf_counter()
    index.search(queries, K, where=selection)
    return {
        "p50_ms": float(np.percentile(spent, 50) * 1e3),
        "p99_ms": float(np.percentile(spent, 99) * 1e3),
        "batch_ms": (time.perf_counter() - start) / len(queries) * 1e3,
        "recall": float(ann_recall(np.array(found), truth).mean()),
    }


def memory() -> dict[str, float]:
    """MB of the server's process."""
    pid = Path(os.environ["NITARI_MILVUS_PID"]).read_text()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}


def report(results: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "milvus.json").write_text(json.dumps(results, indent=1) + "\n")
    lines = [
        f"# Milvus beside hnsw: {results['vectors']:,} x {results['dim']}, k {results['k']}, {results['cores']} busy cores",
        "",
        "Wall times of one client on the server's machine; both as their configuration has them, and tuned to ann_recall_at_10 of 0.99. p50 / p99 in ms, recall.",
        "",
        "| | build | " + " | ".join(where or "all" for where in WHERE) + " |",
        "|---|" + "---|" * (len(WHERE) + 1),
    ]
    for row in results["indexes"]:
        cells = [row[where or "all"] for where in WHERE]
        shown = [f"{cell['p50_ms']:.1f} / {cell['p99_ms']:.1f}, {cell['recall']:.3f}" for cell in cells]
        lines.append(f"| {row['index']} | {row['build_s']:.0f} s | " + " | ".join(shown) + " |")
    served = results["indexes"][-1]
    lines += [
        "",
        f"The server takes {served['rows_a_second']:,.0f} rows a second, one row in {served['append_ms']:.0f} ms and a deletion "
        f"in {served['delete_ms']:.0f} ms; it holds {served['server_mb']:.0f} MB ({served['server_mb_before']:.0f} when empty, "
        f"{served['server_mb_most']:.0f} at most). Opening the index takes {served['open_s']:.2f} s.",
        "",
        "The server's own filtered search, ef 1600: recall "
        + ", ".join(f"{recall:.3f} of {where}" for where, recall in served["sent"].items())
        + ". So filters that admit more than a twentieth are not sent to it.",
    ]
    (RESULTS / "milvus.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
