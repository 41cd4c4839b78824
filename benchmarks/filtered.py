"""Filtered search: random shares and real categories of every size, with and without declared facets.

    .venv/bin/python -m benchmarks.filtered
    .venv/bin/python -m benchmarks.filtered 20000

The vectors of benchmarks/search.py. ``alike`` columns are k-means clusters, far from most queries, as real categories
are; ``random`` columns are drawn. Times include evaluating the filter: ``warm`` from the recent filters, ``cold`` anew. A
query's time is its median over the rounds. Writes benchmarks/results/filtered.json and .md.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.search import DIM, RESULTS, K, one_by_one, patches
from nitari.index.exact import Exact
from nitari.index.hnsw import Hnsw
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
    for name, index, facets in (
        ("hnsw", Hnsw(space, threads=1), None),
        ("hnsw with facets", Hnsw(space), alike),
        ("exact with facets", Exact(space), alike),
    ):
        index.build(vectors, facets)
        if index.sweep:
            tune(index, vectors, k=K, target=TARGET, queries=500, seed=0)
        rows += measured(name, index, exact, queries, masks)
    report({"vectors": n, "dim": DIM, "k": K, "queries": ASKED, "cores": os.cpu_count(), "filtered": rows})


def attributes(vectors: np.ndarray, seed: int = 0) -> pa.Table:
    """A column of clusters and one of chance for each number of parts."""
    random = np.random.default_rng(seed)
    columns = {}
    for parts in PARTS:
        columns[f"alike{parts}"] = clusters(vectors, parts, random)
        columns[f"random{parts}"] = random.integers(0, parts, len(vectors))
    return pa.table({name: pa.array([f"v{value}" for value in column]) for name, column in columns.items()})


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


def measured(name: str, index: Planned, exact: Exact, queries: np.ndarray, masks: Masks) -> list[Row]:
    base = times(lambda q: index.search(q, K), queries)
    truth = exact.search(queries, K).distances
    recall = ann_recall(index.search(queries, K).distances, truth).mean()
    plain = float(np.percentile(base, 99))
    kind = index.plan(K)[0].kind
    rows = [row(name, "all", 1.0, recall, base, base, plain, kind)]
    for kind in ("random", "alike"):
        for parts in PARTS:
            for where in (f"{kind}{parts}=v1", f"{kind}{parts}!=v1") if parts == 10 else (f"{kind}{parts}=v1",):
                selection = masks.select(where)
                cold = Masks(masks.names, masks._read)
                cold._columns = masks._columns

                def anew(query: np.ndarray, where: str = where, cold: Masks = cold) -> None:
                    cold._recent.clear()
                    index.search(query, K, where=cold.select(where))

                warm = times(lambda q, w=where: index.search(q, K, where=masks.select(w)), queries)  # type: ignore[misc]
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
                rows.append(row(name, where, share, recall, warm, times(anew, queries), plain, plans))
                print(rows[-1], flush=True)
    return rows


def row(
    index: str, where: str, share: float, recall: float, warm: np.ndarray, cold: np.ndarray, plain: float, plan: str
) -> Row:
    worst = max(float(np.percentile(warm, 99)), float(np.percentile(cold, 99)))
    return {
        "index": index,
        "where": where,
        "share": round(share, 4),
        "ann_recall_at_10": round(float(recall), 4),
        "p50_us": round(float(np.percentile(warm, 50)) * 1e6),
        "p99_us": round(float(np.percentile(warm, 99)) * 1e6),
        "cold_p99_us": round(float(np.percentile(cold, 99)) * 1e6),
        "p99 / unfiltered": round(worst / plain, 2),
        "plan": plan,
    }


def times(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> np.ndarray:
    """(q,) seconds: each query's median over the rounds."""
    return np.asarray(np.median([one_by_one(search, queries) for _ in range(ROUNDS)], axis=0))


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
    lines += ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(str(value) for value in each.values()) + " |" for each in rows]
    (RESULTS / "filtered.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
