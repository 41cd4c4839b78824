"""The report of an evaluation: results as JSON, every query and class as Parquet, and a table to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nitari.evaluation.labels import Labelled, per_class
from nitari.evaluation.paired import verdict

RESULTS = "results.json"
QUERIES = "queries.parquet"
CLASSES = "classes.parquet"
COPIES = "copies.parquet"
DISTORTIONS = "distortions.parquet"

# Metric -> heading; shares are shown in percent.
COLUMNS = {
    "copy_recall_at_1": "copy R@1",
    "precision_at_1": "P@1",
    "precision_at_10": "P@10",
    "recall_at_10": "R@10",
    "map_at_100": "mAP@100",
    "ann_recall_at_10": "ANN R@10",
}


def write(
    folder: Path,
    results: Mapping[str, Any],
    queries: Sequence[pd.DataFrame],
    copies: Sequence[pd.DataFrame],
    task: Labelled | None,
) -> None:
    """results.json; queries and classes where labels were given; copies and distortions where copies were made."""
    (folder / RESULTS).write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    if queries and task is not None:
        table = pd.concat(queries, ignore_index=True)
        table.to_parquet(folder / QUERIES, index=False)
        per_class(task, table).to_parquet(folder / CLASSES, index=False)
    if copies:
        pd.concat(copies, ignore_index=True).to_parquet(folder / COPIES, index=False)
        distortions(results).to_parquet(folder / DISTORTIONS, index=False)


def distortions(results: Mapping[str, Any]) -> pd.DataFrame:
    """One row a space, metric and distortion: value, low, high, queries."""
    rows = [
        {"space": space, "metric": metric, "distortion": name, **found}
        for space, measured in results["spaces"].items()
        for metric, estimate in measured.items()
        if metric.startswith("copy_recall") and estimate is not None
        for name, found in estimate["by_distortion"].items()
    ]
    return pd.DataFrame(rows)


def table(results: Mapping[str, Any]) -> str:
    """One line a space, means with half the width of their 95% intervals; protocols that were not run have no column."""
    spaces = results["spaces"]
    shown = [name for name in COLUMNS if any(measured[name] is not None for measured in spaces.values())]
    head = ["space", *(COLUMNS[name] for name in shown), "pictures/s", "bytes"]
    lines = [
        [
            space,
            *(_percent(measured[name]) for name in shown),
            _rate(measured["pictures_per_second"]),
            f"{measured['bytes_per_picture']:,}",
        ]
        for space, measured in spaces.items()
    ]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    rule = ["─" * width for width in widths]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in [head, rule, *lines]
    )


def notes(results: Mapping[str, Any]) -> list[str]:
    """What the figures of ``table`` mean: who asked, among what, and what was left out."""
    protocol = results["protocol"]
    lines = ["Percent ± half the 95% interval over the queries (bootstrap)."]
    if copies := protocol["copies"]:
        lines.append(
            f"copy R@1: {copies['queries']:,} pictures ({protocol['queries']}), each distorted in "
            f"{len(copies['distortions'])} ways, look for their original among {copies['gallery']:,}."
        )
    if labels := protocol["labels"]:
        lines.append(
            f"P, R, mAP: {labels['queries']:,} queries ({protocol['queries']}) among {labels['gallery']:,} "
            f"({protocol['gallery']}); relevant is who shares '{labels['column']}' ({labels['classes']:,} values)."
        )
        left = labels["left_out"]
        if any(left.values()):
            lines.append(
                f"Left out: {left['without_label']:,} without a label, {left['nothing_relevant']:,} queries whose value "
                "nothing else in the gallery has."
            )
    first = next(iter(results["spaces"]))
    for other, apart in results["differences"].items():
        said = [
            f"{COLUMNS[metric]} {100 * apart[metric]['value']:+.1f} [{100 * apart[metric]['low']:+.1f}, "
            f"{100 * apart[metric]['high']:+.1f}] {verdict(apart[metric])}"
            for metric in ("copy_recall_at_1", "precision_at_10")
            if metric in apart
        ]
        overlap = results["overlap_at_10"].get(other)
        shared = "" if overlap is None else f"; {100 * overlap:.0f}% of the 10 nearest shared"
        lines += [f"{first} against {other}, on the same queries: {'; '.join(said)}{shared}."] if said else []
    for name, given in protocol["settings"].items():
        weights = ", ".join(f"{space} {weight:g}" for space, weight in given["weights"].items())
        how = [f"{key} {value}" for key, value in given.items() if key != "weights"]
        lines.append(
            f"{name}: {'; '.join([weights, *how])}; calibrated similarities of every candidate, without an index."
        )
    if any(measured["ann_recall_at_10"] for measured in results["spaces"].values()):
        lines.append("ANN R@10: the index against exact search in the same space; it says nothing of relevance.")
    return lines


def _percent(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found['value']:.1f} ±{50 * (found['high'] - found['low']):4.1f}"


def _rate(found: Mapping[str, float] | None) -> str:
    return "–" if found is None else f"{found['value']:,.0f}"
