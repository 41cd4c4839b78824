"""Filtered search: random shares and real categories of every size, with and without declared facets.

    .venv/bin/python -m benchmarks.filtered
    .venv/bin/python -m benchmarks.filtered 20000

The vectors of benchmarks/search.py. ``alike`` columns are k-means clusters, far from most queries, as real categories
are; ``random`` columns are drawn. Times are of one core, and include evaluating the filter: ``warm`` from the recent
filters, ``cold`` anew. A query's time is its median over the rounds. The p99 that theirs are divided by is of unfiltered
searches in turn with the filtered ones: a minute later the machine may be another. Writes benchmarks/results/filtered.json and .md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from benchmarks.search import DIM, RESULTS, K, patches
from benchmarks.table import table
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.index import open_index
from nitari.index.exact import Exact
from nitari.index.hnsw import FILE, Hnsw
from nitari.index.planned import Planned
from nitari.index.tuning import ann_recall, tune
from nitari.mask import Masks
from nitari.space import Space

ASKED, ROUNDS, TARGET = 200, 3, 0.99
PARTS = (2, 3, 10, 100, 1000)  # values of a column
Row = dict[str, Any]


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    vectors, queries, _ = patches(n)
    queries = queries[:ASKED]
    space = Space("patches", "cosine", DIM)
    columns = attributes(vectors)
    masks = Masks(columns.column_names, columns.column)
    alike = columns.select([f"alike{parts}" for parts in PARTS])
    exact = Exact(space)
    exact.build(vectors)
    rows: list[Row] = []
    graph, scan = Hnsw(space), Exact(space)
    for index in (graph, scan):
        index.build(vectors, alike)
    tune(graph, vectors, k=K, target=TARGET, queries=500, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        parameters = graph.save(Path(folder))
        bare = {**parameters, "facets": [], "files": {FILE: parameters["files"][FILE]}}
        for name, index in (
            ("hnsw", Hnsw.load(Path(folder), space, vectors, bare)),
            ("hnsw with facets", graph),
            ("exact with facets", scan),
        ):
            rows += measured(name, index, exact, queries, masks)
    report({"vectors": n, "dim": DIM, "k": K, "queries": ASKED, "cores": os.cpu_count(), "filtered": rows})


def of_collection(collection: Collection, kind: str, space: str = "encoder") -> list[Row]:
    """The same of a collection's newest index of a ``kind`` such as ``hnsw``, whose queries are some of its own vectors."""
    embeddings = Embeddings(collection.latest("embeddings", space))
    artifacts = [collection.open("index", name, space) for name in reversed(collection.ids("index", space))]
    artifact = next(one for one in artifacts if f".{kind}." in one.manifest.info["index"])
    index, exact = open_index(artifact, embeddings), Exact(embeddings.space)
    exact.build(embeddings.vectors)
    rows = np.sort(np.random.default_rng(0).choice(len(embeddings), min(ASKED // 2, len(embeddings)), replace=False))
    columns = attributes(embeddings.vectors, parts=[2, 10, 100, 1000])
    masks = Masks(columns.column_names, columns.column)
    return measured(kind, index, exact, embeddings.vectors[rows], masks, rounds=1)  # type: ignore[arg-type]


def attributes(vectors: np.ndarray, seed: int = 0, parts: Sequence[int] = PARTS) -> pa.Table:
    """A column of clusters and one of chance for each number of parts."""
    random = np.random.default_rng(seed)
    columns = {}
    for number in parts:
        columns[f"alike{number}"] = clusters(vectors, number, random)
        columns[f"random{number}"] = random.integers(0, number, len(vectors))
    return pa.table({name: _values(column) for name, column in columns.items()})


def _values(column: np.ndarray) -> pa.DictionaryArray:
    names = pa.array([f"v{value}" for value in range(int(column.max()) + 1)])
    return pa.DictionaryArray.from_arrays(pa.array(column, pa.int32()), names)


def clusters(vectors: np.ndarray, parts: int, random: np.random.Generator) -> np.ndarray:
    """(n,) k-means by Lloyd's algorithm, a few rounds."""
    centres = vectors[random.choice(len(vectors), parts, replace=False)]
    for _ in range(5):
        of = np.concatenate([(block @ centres.T).argmax(axis=1) for block in np.array_split(vectors, 50)])
        for part in range(parts):
            inside = vectors[of == part]
            if len(inside):
                centres[part] = inside.mean(axis=0) / np.linalg.norm(inside.mean(axis=0))
    return of


def measured(
    name: str, index: Planned, exact: Exact, queries: np.ndarray, masks: Masks, rounds: int = ROUNDS
) -> list[Row]:
    with threadpool_limits(1, user_api="blas"):
        return _measured(name, index, exact, queries, masks, rounds)


def _measured(name: str, index: Planned, exact: Exact, queries: np.ndarray, masks: Masks, rounds: int) -> list[Row]:
    def plain(query: np.ndarray) -> None:
        index.search(query, K)

    base = times(plain, queries, rounds)
    truth = exact.search(queries, K).distances
    recall = ann_recall(index.search(queries, K).distances, truth).mean()
    rows = [row(name, "all", 1.0, recall, [base, base], [base, base], index.plan(K)[0].kind)]
    print(rows[0], getattr(index, "ef_search", ""), flush=True)
    for kind in ("random", "alike"):
        for parts in (int(column[6:]) for column in masks.names if column.startswith("random")):
            for where in (f"{kind}{parts}=v1", f"{kind}{parts}!=v1") if parts == 10 else (f"{kind}{parts}=v1",):
                selection = masks.select(where)
                cold = Masks(masks.names, masks._read)
                cold._columns = masks._columns

                def anew(query: np.ndarray, where: str = where, cold: Masks = cold) -> None:
                    cold._recent.clear()
                    index.search(query, K, where=cold.select(where))

                def known(query: np.ndarray, where: str = where) -> None:
                    index.search(query, K, where=masks.select(where))

                warm = in_turn([known, plain], queries, rounds)
                before = index.plans["fallback"]
                found = index.search(queries, K, where=selection).distances
                fallen = index.plans["fallback"] - before
                truth = exact.search(queries, K, where=selection).distances
                plans = " + ".join(plan.kind for plan in index.plan(K, selection))
                if fallen:
                    plans += f", {fallen} of {len(queries)} scanned"
                wanted = min(K, selection.count)
                recall = ann_recall(found[:, :wanted], truth[:, :wanted]).mean()
                share = selection.count / index.plan(K)[0].part.count
                rows.append(row(name, where, share, recall, warm, in_turn([anew, plain], queries, rounds), plans))
                print(rows[-1], flush=True)
    return rows


def row(
    index: str,
    where: str,
    share: float,
    recall: float,
    warm: Sequence[np.ndarray],
    cold: Sequence[np.ndarray],
    plan: str,
) -> Row:
    """``warm`` and ``cold`` have the times of filtered searches and of unfiltered ones beside them."""
    p99, plain, cold_p99, cold_plain = (float(np.percentile(each, 99)) for each in (*warm, *cold))
    return {
        "index": index,
        "where": where,
        "share": round(share, 4),
        "ann_recall_at_10": round(float(recall), 4),
        "p50_us": round(float(np.percentile(warm[0], 50)) * 1e6),
        "p99_us": round(p99 * 1e6),
        "cold_p99_us": round(cold_p99 * 1e6),
        "p99 / unfiltered": round(max(p99 / plain, cold_p99 / cold_plain), 2),
        "plan": plan,
    }


def times(search: Callable[[np.ndarray], Any], queries: np.ndarray, rounds: int) -> np.ndarray:
    """(q,) seconds of one core: each query's median over the rounds."""
    return in_turn([search], queries, rounds)[0]


def in_turn(searches: Sequence[Callable[[np.ndarray], Any]], queries: np.ndarray, rounds: int) -> list[np.ndarray]:
    """As ``times``, of several searches, each query by all of them before the next."""
    spent = np.empty((len(searches), rounds, len(queries)))
    for once in range(rounds):
        for i, query in enumerate(queries):
            for search, seconds in zip(searches, spent, strict=True):
                start = time.thread_time()
                search(query)
                seconds[once, i] = time.thread_time() - start
    return list(np.median(spent, axis=1))


def report(results: Row) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "filtered.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    rows = results["filtered"]
    lines = [
        "# Filtered search",
        "",
        f"{results['vectors']:,} × {DIM} vectors of picture patches, cosine, one core.",
        "",
    ]
    lines += table(rows)
    (RESULTS / "filtered.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
