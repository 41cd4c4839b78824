"""Every index beside the others: time to build, bytes, and speed at equal recall, of all vectors and of a tenth of them.

    .venv/bin/python -m benchmarks.indexes
    .venv/bin/python -m benchmarks.indexes 20000 exact ivf

The vectors and the filters of benchmarks/filtered.py. What is not installed is left out; ``rii`` (pip install rii nanopq)
is shown bare, its candidates compared again from the vectors. One thread; times are of one core, and a query's is its
median over the rounds. Also what copies do to a graph. Writes benchmarks/results/indexes.json and .md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.filtered import ASKED, ROUNDS, Row, attributes, times
from benchmarks.search import DIM, RESULTS, K, patches
from benchmarks.table import table
from nitari import conf
from nitari.errors import ConfigError, MissingExtraError
from nitari.filters import Selection
from nitari.index import SearchResult, create
from nitari.index.duplicates import Distinct
from nitari.index.exact import Exact
from nitari.index.hnsw import Hnsw
from nitari.index.planned import Planned
from nitari.index.tuning import ann_recall
from nitari.space import Space

TARGETS = (0.95, 0.99)
FILTERS = ("random10=v1", "alike10=v1", "alike2=v1")
Search = Callable[[np.ndarray, Selection | None], SearchResult]


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    vectors, queries, _ = patches(n)
    space = Space("patches", "cosine", DIM)
    columns = attributes(vectors)
    facets = columns.select(["alike2", "alike10"])
    selections = {}
    for where in FILTERS:
        column, value = where.split("=")
        selections[where] = Selection.of(None, (columns.column(column).to_numpy() == value))
    exact = Exact(space)
    exact.build(vectors)
    truth = {where: exact.search(queries[:ASKED], K, where=chosen).distances for where, chosen in selections.items()}
    truth[""] = exact.search(queries[:ASKED], K).distances
    rows = []
    for name in sys.argv[2:] or ["exact", "hnsw", "ivf", "ngt", "annoy", "rii"]:
        if name == "rii":
            found = rii(vectors, queries[:ASKED], selections, truth)
        else:
            found = ours(name, space, vectors, queries[:ASKED], facets, selections, truth)
        for row in found:
            rows.append(row)
            print(row, flush=True)
    report(
        {"vectors": n, "dim": DIM, "k": K, "cores": os.cpu_count(), "indexes": rows, "copies": copies(vectors, queries)}
    )


def ours(
    name: str,
    space: Space,
    vectors: np.ndarray,
    queries: np.ndarray,
    facets: Any,
    selections: dict[str, Selection],
    truth: dict[str, np.ndarray],
) -> Iterator[Row]:
    spec = yaml.safe_load((Path(str(conf.__file__)).parent / "index" / f"{name}.yaml").read_text(encoding="utf-8"))
    if "threads" in spec:
        spec["threads"] = 1
    try:
        index, plain = create(spec, space), create(spec, space)
    except (ConfigError, MissingExtraError) as error:
        print(f"{name} is left out: {error}")
        return
    assert isinstance(index, Planned)
    spent = time.process_time()
    plain.build(vectors)
    spent = time.process_time() - spent
    index.build(vectors, facets)
    with tempfile.TemporaryDirectory() as folder:
        plain.save(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    knob, values = index.sweep or ("", (0,))
    for target in TARGETS if index.sweep else TARGETS[-1:]:
        recall = 0.0
        for value in values:
            if knob:
                setattr(index, knob, value)
            recall = float(ann_recall(index.search(queries, K).distances, truth[""]).mean())
            if recall >= target:
                break
        yield row(
            name,
            f"{knob} {value}" if knob else "",
            spent,
            size,
            lambda query, where: index.search(query, K, where=where),
            queries,
            selections,
            truth,
        )


def rii(
    vectors: np.ndarray, queries: np.ndarray, selections: dict[str, Selection], truth: dict[str, np.ndarray]
) -> Iterator[Row]:
    """Matsui, Hinami and Satoh, "Reconfigurable inverted index" (2018)."""
    try:
        import nanopq
        from rii import Rii
    except ImportError as error:
        print(f"rii is left out: {error}")
        return
    spent = time.process_time()
    codec = nanopq.PQ(M=DIM // 2, Ks=256, verbose=False).fit(vectors[:: max(1, len(vectors) // 10_000)], iter=10)
    index = Rii(codec)
    index.add_configure(vecs=vectors)
    spent = time.process_time() - spent
    space = Space("patches", "cosine", DIM)

    for probed in (0.05, 0.2):
        for target in TARGETS:
            for fetch in (20, 50, 100, 200, 500):

                def search(
                    query: np.ndarray, where: Selection | None, fetch: int = fetch, probed: float = probed
                ) -> Any:
                    query = query.reshape(-1)
                    matches = len(vectors) if where is None else where.count
                    looked = max(fetch, int(matches * probed))
                    ids, _ = index.query(query, fetch, target_ids=None if where is None else where.rows, L=looked)
                    distances = space.precise(query, vectors[ids])
                    return SearchResult(ids[None], np.sort(distances)[None, :K])

                found = np.concatenate([search(query, None).distances for query in queries])
                recall = float(ann_recall(found, truth[""]).mean())
                if recall >= target:
                    break
            if recall >= target:
                size = len(vectors) * codec.M
                yield row("rii", f"candidates {fetch}, of {probed:g}", spent, size, search, queries, selections, truth)


def row(
    name: str,
    effort: str,
    spent: float,
    size: int,
    search: Search,
    queries: np.ndarray,
    selections: dict[str, Selection],
    truth: dict[str, np.ndarray],
) -> Row:
    taken = times(lambda query: search(query, None), queries, ROUNDS)
    recall = np.mean(
        [ann_recall(search(q, None).distances, t[None]).mean() for q, t in zip(queries, truth[""], strict=True)]
    )
    found: Row = {
        "index": name,
        "effort": effort,
        "build_s": round(spent, 1),
        "mb": round(size / 1e6, 1),
        "ann_recall_at_10": round(float(recall), 4),
        "queries_per_second": round(1 / float(taken.mean())),
        "p50_us": round(float(np.percentile(taken, 50)) * 1e6),
        "p99_us": round(float(np.percentile(taken, 99)) * 1e6),
    }
    for where, selection in selections.items():
        taken = times(lambda query, chosen=selection: search(query, chosen), queries, ROUNDS)  # type: ignore[misc]
        seen = [search(query, selection).distances for query in queries]
        recall = np.mean([ann_recall(s, t[None]).mean() for s, t in zip(seen, truth[where], strict=True)])
        found[where] = f"{np.percentile(taken, 50) * 1e6:.0f}/{np.percentile(taken, 99) * 1e6:.0f} µs ({recall:.3f})"
    return found


def copies(vectors: np.ndarray, queries: np.ndarray) -> list[Row]:
    """A graph of which part are copies of ten vectors, with copies grouped and as they stand."""
    n = min(20_000, len(vectors))
    space = Space("patches", "cosine", DIM)
    rows = []
    for share in (0.01, 0.1, 0.5):
        some = vectors[:n].copy()
        some[np.random.default_rng(0).permutation(n)[: int(share * n)]] = some[np.arange(int(share * n)) % 10]
        truth = np.partition(space.distances(queries, some), K - 1, axis=1)[:, K - 1 : K]
        found: Row = {"copies": share}
        for name, grouped in (("as they stand", False), ("grouped", True)):
            engine = Distinct(Hnsw(space, threads=1).engine(), n)
            if grouped:
                engine.build(some)
            else:
                engine.engine.build(some)
            start = time.process_time()
            listed = [engine.candidates(query[None], K, 100, K)[0][: 2 * K] for query in queries]
            spent = time.process_time() - start
            near = [np.sort(space.precise(q, some[rows]))[:K] for q, rows in zip(queries, listed, strict=True)]
            hits = sum((one <= best + 1e-6).sum() for one, best in zip(near, truth, strict=True))
            found[name] = f"{hits / truth.size / K:.4f} ({spent / len(queries) * 1e6:.0f} µs)"
        rows.append(found)
    return rows


def report(results: Row) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "indexes.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# Indexes side by side",
        "",
        f"{results['vectors']:,} × {DIM} vectors of picture patches, cosine, one core.",
        "",
    ]
    for title, rows in (("indexes", results["indexes"]), ("copies", results["copies"])):
        lines += [f"## {title}", "", *table(rows), ""]
    (RESULTS / "indexes.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
