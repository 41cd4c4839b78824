"""An evaluation of what people did: the feedback log replayed, and published as a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nitari.artifact import Artifact, publish
from nitari.collection import Collection
from nitari.errors import ConfigError, QueryError
from nitari.evaluation.interleaving import Log, outcome
from nitari.evaluation.metrics import estimate
from nitari.evaluation.report import QUERIES, RESULTS
from nitari.feedback import Feedback, read_file
from nitari.recommend.recommender import Recommender
from nitari.steps import Progress, silent

K = 10


def evaluate_feedback(
    collection: Collection,
    path: Path | None = None,
    *,
    max_queries: int = 500,
    seed: int = 0,
    resamples: int = 1000,
    mlflow_run: str | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Publish what the collection's feedback says, or that in ``path``, a file of JSON lines or a folder of such.

    ``results.json`` has ``nitari.evaluation.interleaving.outcome`` and the ``replay``: where a query is named by an item
    (``ITEM_ID``, or ``ITEM_ID:`` and anything that makes it unique), how often the current release recommends what was
    clicked or liked there, of at most ``max_queries`` such items drawn by ``seed``. What was never shown could not be
    clicked, so it compares releases only roughly. ``queries.parquet`` has a row an interleaved query. Raises ConfigError where there is no feedback.
    """
    log = Log(_events(collection, path))
    if not log.events:
        where = f"collection '{collection.name}'" if path is None else f"'{path}'"
        raise ConfigError(f"There is no feedback in {where} yet. It is logged by POST /v1/feedback")
    found = {
        "collection": collection.name,
        "source": "log" if path is None else str(path),
        **outcome(log, seed=seed, resamples=resamples),
        "replay": _replay(collection, log, max_queries, seed, resamples, progress) if max_queries else None,
    }
    with collection.lock("evaluate"):
        work = collection.work("evaluate", {"feedback": found, "run": mlflow_run})
        (work / RESULTS).write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
        log.queries().to_parquet(work / QUERIES, index=False)
        return publish(
            work,
            collection.folder("evaluation"),
            "evaluation",
            parents={"release": collection.release()} if collection.current else {},
            counts={"events": found["events"], "queries": found["queries"], "sessions": found["sessions"]},
            config={"feedback": found["source"], "seed": seed, "resamples": resamples, "max_queries": max_queries},
            mlflow_run=mlflow_run,
        )


def table(found: Mapping[str, Any]) -> str:
    """For people: items by arm, then each comparison."""
    lines = [
        f"{found['collection']}: {found['events']:,} events, {found['queries']:,} queries, {found['sessions']:,} sessions",
        "",
    ]
    rows = [("arm", "shown", "clicked", "liked", "hidden", "click-through [95%]")]
    for arm, of in found["arms"].items():
        rate = of["click_through"]
        shown = "" if rate is None else f"{rate['value']:.2%} [{rate['low']:.2%}, {rate['high']:.2%}]"
        rows.append((arm, *(f"{of[kind]:,}" for kind in ("shown", "clicked", "liked", "hidden")), shown))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for one in found["compared"]:
        a, b = one["arms"]
        share = one["preference"]
        lines += [
            "",
            f"{b} against {a}: {one['queries']:,} interleaved queries with clicks, {one['sessions']:,} sessions",
            f"  wins {one['wins'][b]:,} : {one['wins'][a]:,}, ties {one['ties']:,}; clicks {one['clicks'][b]:,} : {one['clicks'][a]:,}",
            f"  preferred in {share['value']:.1%} [{share['low']:.1%}, {share['high']:.1%}]: "
            + (f"{one['verdict']} is better" if one["verdict"] else "no difference shown"),
        ]
    if not found["compared"]:
        lines += ["", "No query was interleaved of two releases and clicked in: nothing is compared"]
    if found["replay"]:
        recall = found["replay"][f"recall_at_{K}"]
        lines += [
            "",
            f"Release {found['replay']['release']} recommends {recall['value']:.1%} [{recall['low']:.1%}, {recall['high']:.1%}] "
            f"of what was clicked beside {recall['queries']:,} items, among its first {K}",
        ]
    return "\n".join(lines)


def _events(collection: Collection, path: Path | None) -> Iterator[dict[str, Any]]:
    if path is None:
        yield from Feedback(collection).read()
        return
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ConfigError(f"feedback is '{path}'. Give a file of JSON lines, or a folder of *.jsonl")
    for file in files:
        yield from read_file(file)


def _replay(
    collection: Collection, log: Log, most: int, seed: int, resamples: int, progress: Progress
) -> dict[str, Any] | None:
    """``recall_at_10`` by item that was asked with: the share of what was clicked there that is recommended now."""
    wanted: dict[str, set[str]] = {}
    for (query, _), kinds in log.seen.items():
        item = query.partition(":")[0]
        clicked = {*kinds.get("clicked", ()), *kinds.get("liked", ())} - {item}
        if clicked:
            wanted.setdefault(item, set()).update(clicked)
    if not collection.current or not wanted:
        return None
    recommender = Recommender.open(collection)
    catalog = recommender.catalog
    there = set(catalog.item_ids[: catalog.n_ready].tolist())
    asked = sorted(item for item in wanted if item.isascii() and item.encode() in there)
    chosen = np.random.default_rng(seed).choice(len(asked), min(most, len(asked)), replace=False)
    shares = []
    for done, at in enumerate(np.sort(chosen).tolist(), start=1):
        try:
            results = recommender.recommend(asked[at], k=K).results
        except QueryError:  # it was removed since
            continue
        given = {item for result in results for item in (result.item_id, *result.copies)}
        shares.append(len(given & wanted[asked[at]]) / len(wanted[asked[at]]))
        progress(done, len(chosen))
    if not shares:
        return None
    name = f"recall_at_{K}"
    found = estimate({name: np.array(shares)}, seed=seed, resamples=resamples)
    return {"release": recommender.release.id, **found}
