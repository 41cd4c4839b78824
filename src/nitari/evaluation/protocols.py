"""Evaluate: both protocols over several spaces of one catalog, published with the tables, plots and sheet behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.evaluation import plots, report, sheets
from nitari.evaluation.approximation import ann_recall, search_latency
from nitari.evaluation.copies import Copies, copy_recall, make_copies, per_copy, summarise
from nitari.evaluation.labels import Labelled, labelled, per_query, rank
from nitari.evaluation.metrics import CURVE, DEPTH, METRICS, estimate, measure, recall_at
from nitari.evaluation.mixture import Mixture, mixtures, together
from nitari.evaluation.paired import differences
from nitari.evaluation.speed import pictures_per_second
from nitari.evaluation.subject import Subject, choose, open_subject, same_picture, sample
from nitari.images.distortions import VERSION
from nitari.index import open_index
from nitari.steps import Progress, silent
from nitari.steps.pictures import Pictures


@dataclass(frozen=True)
class Settings:
    """How many pictures each part takes at most; 0 leaves it out.

    ``max_queries`` are distorted, ``max_labelled`` look for their label, ``throughput_items`` are timed, and
    ``sheet_queries`` are shown with their neighbours, ``map_items`` on a map. ``distortions`` None is all ten. ``resamples`` are those of the
    bootstrap.
    """

    max_queries: int = 500
    max_labelled: int = 5000
    throughput_items: int = 512
    sheet_queries: int = 9
    map_items: int = 1000
    distortions: Sequence[str] | None = None
    resamples: int = 1000

    def __post_init__(self) -> None:
        for name in ("max_queries", "max_labelled", "throughput_items", "sheet_queries", "map_items"):
            if getattr(self, name) < 0:
                raise ConfigError(f"protocol.{name} is {getattr(self, name)}. Give a number of pictures, 0 for none")
        if self.resamples < 20:
            raise ConfigError(f"protocol.resamples is {self.resamples}. An interval needs 20 at least, 1000 is usual")


@dataclass
class _Tables:
    queries: list[pd.DataFrame] = field(default_factory=list)
    copies: list[pd.DataFrame] = field(default_factory=list)


def evaluate(
    collection: Collection,
    spaces: Sequence[Artifact],
    *,
    labels: str | None = None,
    queries: str | None = None,
    gallery: str | None = None,
    mixed: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings = Settings(),
    seed: int = 0,
    threads: int = 1,
    mlflow_run: str | None = None,
    progress: Progress = silent,
    comparing: Progress = silent,
) -> Artifact:
    """Measure published embeddings of the newest catalog, the first being the one in question, the others beside it.

    ``queries`` and ``gallery`` are filters; without them, pictures that never trained ask the whole collection. Copies
    are always looked for in the whole collection. ``mixed`` are recommendation settings over these spaces, as
    ``{name: {"weights": {space: number}, "fuse": ..., "diversity": ...}}``, measured beside them. Without ``labels`` the label metrics are None, as is
    ``ann_recall_at_10`` in a space that has no index.
    """
    catalog = Catalog.newest(collection)
    subjects = [open_subject(collection, catalog, artifact) for artifact in spaces]
    if not subjects:
        raise ConfigError("No space is to be evaluated. Name some, for example: spaces=[encoder,pixels]")
    mixes = mixtures(mixed or {}, subjects, seed)
    pictures = Pictures(collection, catalog)
    groups = same_picture(catalog)
    asked = choose(collection, catalog, queries, "queries", subjects)
    among = choose(collection, catalog, gallery, "gallery") if gallery else np.arange(catalog.n_ready)
    copied = sample(asked, settings.max_queries, seed)
    task = None
    if labels is not None and settings.max_labelled:
        task = labelled(catalog, labels, sample(asked, settings.max_labelled, seed), among, groups)
    copies = None
    if settings.max_queries:
        copies = make_copies(
            pictures,
            subjects,
            copied,
            distortions=settings.distortions,
            seed=seed,
            threads=threads,
            progress=progress,
        )
    timed = sample(np.arange(catalog.n_ready), settings.throughput_items, seed)
    tables = _Tables()
    measured = {}
    for subject in subjects:
        relevant = None if task is None else task.relevant(rank(subject, task, seed))
        hits = None if copies is None else copy_recall(subject, copies, groups, comparing)
        measured[subject.name] = {
            **_labels(catalog, subject.name, task, relevant, settings, seed, tables),
            **_copies(catalog, subject.name, copies, hits, settings, seed, tables),
            **_index(subject, copies, copied if len(copied) else asked[:500], settings, seed),
            "pictures_per_second": pictures_per_second(pictures, subject.extractor, timed, seed=seed)
            if len(timed)
            else None,
            "bytes_per_picture": subject.space.width * np.dtype(subject.space.dtype).itemsize,
        }
    for mix in mixes:
        relevant = None if task is None else task.relevant(_ranked(mix, task))
        hits = None if copies is None else mix.copy_hits(copies, groups)
        measured[mix.name] = {
            **_labels(catalog, mix.name, task, relevant, settings, seed, tables),
            **_copies(catalog, mix.name, copies, hits, settings, seed, tables),
            "ann_recall_at_10": None,
            "search_latency_ms": None,
            "pictures_per_second": together([measured[s.name]["pictures_per_second"] for s in mix.subjects]),
            "bytes_per_picture": mix.bytes_per_picture,
        }
    shown = sheets.shown(task, copies, tables.queries, tables.copies, asked, among, groups)
    shared = sheets.overlaps(subjects, shown, seed)
    results: dict[str, Any] = {
        "collection": collection.name,
        "queries": len(task.queries) if task else len(copies.rows) if copies else 0,
        "gallery": len(task.gallery) if task else catalog.n_ready,
        "spaces": measured,
        "differences": differences(tables.queries, tables.copies, seed=seed, resamples=settings.resamples),
        "overlap_at_10": {name: float(values.mean()) for name, values in shared[1].items()},
        "protocol": {
            **_protocol(catalog, task, copies, labels, queries, gallery, settings, seed),
            "settings": {name: dict(given) for name, given in (mixed or {}).items()},
        },
    }
    with collection.lock("evaluate"):
        for left in (collection.path / "work").glob("evaluate-*"):  # by a killed run
            collection.discard(left)
        work = collection.work("evaluate", {"run": mlflow_run, "spaces": [a.id for a in spaces], "results": results})
        report.write(work, results, tables.queries, tables.copies, task)
        plots.write(work, results)
        sheets.write(
            work,
            pictures,
            subjects,
            shown,
            shared,
            count=settings.sheet_queries,
            map_items=settings.map_items,
            seed=seed,
        )
        parents = catalog.parents
        for subject in subjects:
            parents[f"embeddings:{subject.name}"] = subject.embeddings.artifact
            if subject.index is not None:
                parents[f"index:{subject.name}"] = subject.index
        return publish(
            work,
            collection.folder("evaluation"),
            "evaluation",
            parents=parents,
            counts={"queries": results["queries"], "gallery": results["gallery"], "spaces": len(subjects)},
            config=results["protocol"],
            info={"spaces": [subject.name for subject in subjects]},
            mlflow_run=mlflow_run,
        )


def results(artifact: Artifact) -> dict[str, Any]:
    """What a published evaluation found, as ``nitari evaluate format=json`` prints it."""
    found: dict[str, Any] = json.loads(artifact.file(report.RESULTS).read_text(encoding="utf-8"))
    return found


def _ranked(mix: Mixture, task: Labelled) -> np.ndarray:
    asked = {s.name: np.asarray(s.vectors[task.queries]) for s in mix.subjects}
    return mix.rank(asked, task.gallery, DEPTH, exclude=task.exclude)


def _labels(
    catalog: Catalog,
    name: str,
    task: Labelled | None,
    relevant: np.ndarray | None,
    settings: Settings,
    seed: int,
    tables: _Tables,
) -> dict[str, Any]:
    if task is None or relevant is None:
        return dict.fromkeys((*METRICS, "recall_curve"))
    values = measure(relevant, task.total)
    tables.queries.append(per_query(catalog, task, values, name))
    curve = {f"recall_at_{k}": recall_at(relevant, task.total, k) for k in CURVE}
    found = estimate(values | curve, seed=seed, resamples=settings.resamples)
    return {**{name: found[name] for name in METRICS}, "recall_curve": {str(k): found[f"recall_at_{k}"] for k in CURVE}}


def _copies(
    catalog: Catalog,
    name: str,
    copies: Copies | None,
    hits: np.ndarray | None,
    settings: Settings,
    seed: int,
    tables: _Tables,
) -> dict[str, Any]:
    if copies is None or hits is None:
        return dict.fromkeys(("copy_recall_at_1", "copy_recall_at_5", "copy_recall_at_10"))
    tables.copies.append(per_copy(catalog, copies, hits, name))
    return summarise(hits, copies.distortions, seed, settings.resamples)


def _index(subject: Subject, copies: Copies | None, rows: np.ndarray, settings: Settings, seed: int) -> dict[str, Any]:
    """Asked with vectors of distorted copies, one a picture, as uploads are not in the index; else with the rows' own."""
    if subject.index is None:
        return {"ann_recall_at_10": None, "search_latency_ms": None}
    index = open_index(subject.index, subject.embeddings)
    if copies is None:
        asked = np.asarray(subject.vectors[rows])
    else:
        at = np.arange(len(copies.rows))
        asked = copies.vectors[subject.name][at, at % len(copies.distortions)]
    recall = ann_recall(index, subject.space, subject.vectors, asked)
    found = estimate({"ann_recall_at_10": recall}, seed=seed, resamples=settings.resamples)
    return {**found, "search_latency_ms": search_latency(index, asked)}


def _protocol(
    catalog: Catalog,
    task: Labelled | None,
    copies: Copies | None,
    labels: str | None,
    queries: str | None,
    gallery: str | None,
    settings: Settings,
    seed: int,
) -> dict[str, Any]:
    return {
        "catalog": catalog.artifact.id,
        "queries": queries or "held out from training",
        "gallery": gallery or "all",
        "seed": seed,
        "resamples": settings.resamples,
        "labels": None
        if task is None
        else {
            "column": labels,
            "queries": len(task.queries),
            "gallery": len(task.gallery),
            "classes": len(task.classes),
            "depth": DEPTH,
            "left_out": {"without_label": task.unlabelled, "nothing_relevant": task.alone},
            "passed_over": "the query and pictures of equal bytes",
        },
        "copies": None
        if copies is None
        else {
            "queries": len(copies.rows),
            "gallery": catalog.n_ready,
            "distortions": list(copies.distortions),
            "version": VERSION,
        },
    }
