"""Fusing spaces: is a mixture better than its best space, what calibration is worth, and what a query over three costs.

    .venv/bin/python -m benchmarks.fusion
    .venv/bin/python -m benchmarks.fusion quality sets=clothing,grocery root=.bench
    .venv/bin/python -m benchmarks.fusion latency items=100000

Quality: the collections that benchmarks.quality keeps in .bench/, with the spaces `full` (learned), `hog` (shape),
`colour` and `histogram` (colour); queries and galleries are its own. Distances are exact and every candidate counts. "chosen by labels" takes the
best weights of a grid on one half of the queries and is measured on the other, both ways round; "chosen by copies" takes
those that find most distorted copies. Latency: vectors of picture patches as three spaces, HNSW, one query at a time, beside
bare searches of the same indexes. Times are of the thread's processor, so that a busy machine counts less.
Writes benchmarks/results/fusion.json and fusion.md.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.search import patches
from nitari import catalog
from nitari.artifact import publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.evaluation.copies import make_copies
from nitari.evaluation.labels import Labelled, labelled
from nitari.evaluation.metrics import estimate, measure
from nitari.evaluation.paired import verdict
from nitari.evaluation.subject import Subject, choose, open_subject, same_picture, sample
from nitari.recommend.calibration import learn
from nitari.recommend.recommender import Recommender
from nitari.recommend.scoring import ranks, reciprocal, weighted
from nitari.recommend.source import SpaceSource
from nitari.space import Space, unit
from nitari.steps.build import build
from nitari.steps.pictures import Pictures

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = ("full", "hog", "colour", "histogram")
SETS = {
    "clothing": ("label", "split=validation", "split=train", "precision_at_10"),
    "grocery": ("label", "split=val", "split=train", "precision_at_10"),
    "emoji": ("label", "vendor=noto", "vendor=twemoji", "precision_at_1"),
}
GRID = [w for w in itertools.product((0, 0.25, 0.5, 1), repeat=len(NAMES)) if max(w) == 1]
FIXED = ((1, 1, 1, 1), (1, 0.5, 0, 0.5), (1, 1, 0, 0), (1, 0, 0, 1))
COPIED = 100  # pictures
QUERIES = 1000
DEFAULTS = {"sets": "clothing,grocery,emoji", "root": str(ROOT / ".bench"), "items": "100000"}
Scores = Callable[[dict[str, np.ndarray], tuple[float, ...]], np.ndarray]


def main() -> None:
    parts = [word for word in sys.argv[1:] if "=" not in word] or ["quality", "latency"]
    given = DEFAULTS | dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    if set(given) - set(DEFAULTS) or set(parts) - {"quality", "latency"}:
        sys.exit(f"There are: quality, latency, {', '.join(DEFAULTS)}")
    file = RESULTS / "fusion.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    if "quality" in parts:
        results["quality"] = {name: quality(Path(given["root"]), name) for name in given["sets"].split(",")}
    if "latency" in parts:
        results["latency"] = latency(int(given["items"]))
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "fusion.md").write_text(report(results), encoding="utf-8")
    print(report(results))


def quality(root: Path, name: str) -> dict[str, Any]:
    """Every way of fusing against the best single space, on the same queries."""
    column, queries, gallery, metric = SETS[name]
    collection = Collection.existing(root, name)
    table = Catalog(collection.latest("catalog"))
    subjects = [open_subject(collection, table, collection.latest("embeddings", space)) for space in NAMES]
    groups = same_picture(table)
    chosen = [choose(collection, table, where, "where") for where in (queries, gallery)]
    task = labelled(table, column, *chosen, groups)
    copies = make_copies(
        Pictures(collection, table), subjects, sample(choose(collection, table, None, "queries", subjects), COPIED, 0)
    )
    ways = _ways(subjects)
    apart = {s.name: s.space.distances(s.vectors[task.queries], s.vectors[task.gallery]) for s in subjects}
    copied = {}
    for s in subjects:
        asked = s.space.check(copies.vectors[s.name].reshape(-1, s.space.width))
        copied[s.name] = s.space.distances(asked, s.space.check(s.vectors))
    originals = np.repeat(groups[copies.rows], len(copies.distortions))

    def found(scores: Scores, weights: tuple[float, ...]) -> dict[str, np.ndarray]:
        values = _measured(scores(apart, weights), task)
        first = groups[scores(copied, weights).argmax(axis=1)]
        return values | {"copies": np.repeat((first == originals).reshape(len(copies.rows), -1).mean(axis=1), 1)}

    singles = {space: found(ways["raw"], tuple(float(space == other) for other in NAMES)) for space in NAMES}
    best = max(NAMES, key=lambda space: singles[space][metric].mean())
    rows = [_row(space, values, singles[best], metric) for space, values in singles.items()]
    for (way, scores), weights in itertools.product(ways.items(), FIXED):
        rows.append(_row(f"{way} {_told(weights)}", found(scores, weights), singles[best], metric))
    grid = {weights: found(ways["calibrated"], weights) for weights in GRID}
    by_copies = max(GRID, key=lambda weights: grid[weights]["copies"].mean())
    rows.append(_row(f"calibrated, chosen by copies {_told(by_copies)}", grid[by_copies], singles[best], metric))
    half = np.random.default_rng(0).permutation(len(task.queries)) % 2 == 0
    fair = {key: np.empty(len(values)) for key, values in singles[best].items() if key != "copies"}
    picked = []
    for mine in (half, ~half):
        weights = max(GRID, key=lambda w: grid[w][metric][~mine].mean())
        picked.append(weights)
        for key in fair:
            fair[key][mine] = grid[weights][key][mine]
    label = f"calibrated, chosen by labels {' and '.join(_told(weights) for weights in picked)}"
    rows.append(_row(label, fair, singles[best], metric))
    return {"metric": metric, "best": best, "queries": len(task.queries), "copies": len(originals), "rows": rows}


def _ways(subjects: list[Subject]) -> dict[str, Scores]:
    scales = {s.name: learn(s.space, s.vectors) for s in subjects}
    spaces = {s.name: s.space for s in subjects}

    def by(similarity: Callable[[str, np.ndarray], np.ndarray]) -> Scores:
        def scores(apart: dict[str, np.ndarray], weights: tuple[float, ...]) -> np.ndarray:
            counted = {name: weight for name, weight in zip(NAMES, weights, strict=True) if weight}
            return weighted({name: similarity(name, apart[name]) for name in counted}, counted)

        return scores

    def fused(apart: dict[str, np.ndarray], weights: tuple[float, ...]) -> np.ndarray:
        counted = {name: weight for name, weight in zip(NAMES, weights, strict=True) if weight}
        order = np.arange(next(iter(apart.values())).shape[1])
        return reciprocal({name: np.stack([ranks(-row, order) for row in apart[name]]) for name in counted}, counted)

    return {
        "raw": by(lambda name, apart: spaces[name].similarity(apart)),
        "calibrated": by(lambda name, apart: scales[name](apart)),
        "reciprocal ranks": fused,
    }


def _measured(scores: np.ndarray, task: Labelled) -> dict[str, np.ndarray]:
    place = np.full(len(task.codes), -1)
    place[task.gallery] = np.arange(len(task.gallery))
    scores = scores.copy()
    scores[task.exclude[:, 0], place[task.exclude[:, 1]]] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    return measure(task.relevant(task.gallery[best]), task.total)


def _row(name: str, values: dict[str, np.ndarray], best: dict[str, np.ndarray], metric: str) -> dict[str, Any]:
    apart = estimate({key: values[key] - best[key] for key in (metric, "map_at_100")})
    means = {key: float(values[key].mean()) for key in (metric, "map_at_100", "copies") if key in values}
    return {"name": name, **means, "difference": apart}


def _told(weights: tuple[float, ...]) -> str:
    return ":".join(f"{weight:g}" for weight in weights)


def latency(n: int) -> dict[str, Any]:
    """One core, one query at a time, items asking; and how near the answer is to that of an exhaustive scan."""
    collection = Collection(ROOT / ".bench", f"fusion-{n}")
    if not collection.ids("release"):
        _publish(collection, n)
        build(collection, {"_target_": "nitari.index.hnsw.Hnsw"})
    recommender = Recommender.open(collection)
    weights = {"encoder": 1.0, "hog": 0.5, "colour": 0.3}
    sources = [source for name in weights if isinstance(source := recommender.source(name), SpaceSource)]
    vectors = [np.asarray(source.all) for source in sources]
    ids = recommender.catalog.item_ids[:n].astype(str)
    asked = np.random.default_rng(1).choice(n, QUERIES, replace=False)

    def search(k: int) -> Callable[[int], Any]:
        return lambda row: [s.index.search(v[row], k) for s, v in zip(sources, vectors, strict=True)]

    def recommend(**how: Any) -> Callable[[int], Any]:
        return lambda row: recommender.recommend(ids[row], **how)

    runs = {
        "three bare searches, k = 20": search(20),
        "three bare searches, k = 128": search(128),
        "recommend, one space": recommend(weights={"encoder": 1}),
        "recommend, three spaces": recommend(weights=weights),
        "recommend, three spaces, copies apart": recommend(weights=weights, collapse=False),
        "recommend, three spaces, by ranks": recommend(weights=weights, fuse="rank"),
        "recommend, three spaces, diversity .3": recommend(weights=weights, diversity=0.3),
    }
    times = {name: _timed(run, asked) for name, run in runs.items()}
    shared = []
    for row in asked[:50]:
        scores = weighted(
            {
                s.name: s.similarity(s.space.distances(v[row][None], v))[0]
                for s, v in zip(sources, vectors, strict=True)
            },
            weights,
        )
        scores[row] = -np.inf
        page = recommender.recommend(ids[row], weights=weights, collapse=False)
        found = {recommender.catalog.row(result.item_id) for result in page.results}
        shared.append(len(found & set(np.argpartition(-scores, 20)[:20].tolist())) / 20)
    return {"items": n, "queries": QUERIES, "times": times, "recall_at_20_of_exhaustive": float(np.mean(shared))}


def _timed(run: Callable[[int], Any], rows: np.ndarray) -> dict[str, float]:
    run(int(rows[0]))
    seconds = []
    for row in rows:
        start = time.thread_time()
        run(int(row))
        seconds.append(time.thread_time() - start)
    return {f"p{p}": float(np.percentile(seconds, p) * 1000) for p in (50, 99)} | {"all": float(np.sum(seconds))}


def _publish(collection: Collection, n: int) -> None:
    """A catalog of n items without pictures, and three spaces: patches, and the same with noise, twice."""
    work = collection.work("thumbnails", {"n": n})
    thumbnails = publish(work, collection.folder("thumbnails"), "thumbnails", info={"sizes": [96]})
    rows: dict[str, list[Any]] = {name: [None] * n for name in catalog.SCHEMA.names}
    rows |= {"item_id": [f"{i * 2654435761 % 2**64:016x}" for i in range(n)], "status": ["ready"] * n}
    rows |= {"file_name": [f"{i}.jpg" for i in range(n)], "sha256": [f"{i:064x}" for i in range(n)]}
    table = pa.table(rows, schema=catalog.SCHEMA)
    for column in range(4):
        table = table.append_column(f"c{column}", pa.array([f"value {i % 4}" for i in range(n)]))
    work = collection.work("catalog", {"n": n})
    pq.write_table(table, work / catalog.FILE)
    made = publish(
        work, collection.folder("catalog"), "catalog", parents={"thumbnails": thumbnails}, counts=catalog.counts(table)
    )
    vectors, _, _ = patches(n)
    random = np.random.default_rng(0)
    for name in ("encoder", "hog", "colour"):
        noise = 0.0 if name == "encoder" else 0.06
        moved = unit(vectors + np.float32(noise) * random.standard_normal(vectors.shape, np.float32))
        work = collection.work("embeddings", {"name": name})
        np.save(work / "vectors.npy", moved)
        publish(
            work,
            collection.folder("embeddings", name),
            "embeddings",
            parents={"catalog": made},
            counts={"vectors": n},
            info={"space": Space(name, "cosine", vectors.shape[1]).to_dict(), "extractor": {}, "postprocess": False},
        )


def report(results: dict[str, Any]) -> str:
    lines = ["# Fusing spaces", "", " ".join(__doc__.split("\n\n")[2].split()), ""]
    for name, found in results.get("quality", {}).items():
        metric = "P@1" if found["metric"] == "precision_at_1" else "P@10"
        lines += [
            f"## {name}: {found['queries']:,} queries",
            "",
            f"Weights are {':'.join(NAMES)}. Differences are from the best single space, {found['best']}, with paired 95% intervals.",
            "",
            f"| what | {metric} | against {found['best']} | mAP@100 | against {found['best']} | copies found |",
            "|---|---|---|---|---|---|",
        ]
        for row in found["rows"]:
            cells = [_percent(row[found["metric"]]), _apart(row["difference"][found["metric"]])]
            cells += [_percent(row["map_at_100"]), _apart(row["difference"]["map_at_100"]), _percent(row.get("copies"))]
            lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
        lines.append("")
    if found := results.get("latency"):
        bare = found["times"]["three bare searches, k = 20"]
        lines += [
            f"## A query among {found['items']:,}, k = 20",
            "",
            "| what | p50 ms | p99 ms | times three bare searches, p50 | 1,000 queries, s |",
            "|---|---|---|---|---|",
        ]
        for name, times in found["times"].items():
            each = f"{times['all'] * 1000 / found['queries']:.1f}"
            lines.append(
                f"| {name} | {times['p50']:.2f} | {times['p99']:.2f} | {times['p50'] / bare['p50']:.1f} | {each} |"
            )
        share = 100 * found["recall_at_20_of_exhaustive"]
        lines += ["", f"Of the 20 best by an exhaustive scan of all three spaces, {share:.1f}% are found.", ""]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _apart(found: dict[str, Any]) -> str:
    if found["value"] == found["low"] == found["high"] == 0:
        return ""
    return f"{100 * found['value']:+.1f} [{100 * found['low']:+.1f}, {100 * found['high']:+.1f}] {verdict(found)}"


if __name__ == "__main__":
    main()
