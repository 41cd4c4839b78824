"""Plots of an evaluation, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nitari.evaluation.copies import KS
from nitari.evaluation.metrics import METRICS


def write(folder: Path, results: Mapping[str, Any]) -> list[Path]:
    """Draw what was measured into ``folder``/plots, one PNG each; returns the paths."""
    figures = {
        "metrics": bars(results, {name: name.replace("_at_", "@").replace("_", " ") for name in METRICS}),
        "distortions": by_distortion(results),
        "copy_recall": recall_curves(results),
        "recall": label_curves(results),
        "cost": cost(results),
    }
    paths = []
    for name, figure in figures.items():
        if figure is not None:
            path = folder / "plots" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            figure.savefig(path, dpi=110)
            paths.append(path)
    return paths


def bars(results: Mapping[str, Any], metrics: Mapping[str, str]) -> Any:
    """A group of bars a metric, one bar a space, with intervals; None where none was measured."""
    metrics = {k: v for k, v in metrics.items() if all(m[k] is not None for m in results["spaces"].values())}
    if not metrics:
        return None
    figure, axes = _figure(1.6 * len(metrics) + 2.5)
    values = {space: [found[name] for name in metrics] for space, found in results["spaces"].items()}
    _grouped(axes, values, list(metrics.values()))
    axes.set_title(f"{results['collection']}: {results['queries']:,} queries among {results['gallery']:,}")
    return figure


def by_distortion(results: Mapping[str, Any]) -> Any:
    """Copy recall at 1 under each distortion, one bar a space; None where no copies were made."""
    found = {space: measured["copy_recall_at_1"] for space, measured in results["spaces"].items()}
    if any(estimate is None for estimate in found.values()):
        return None
    names = list(next(iter(found.values()))["by_distortion"])
    figure, axes = _figure(1.0 * len(names) + 2.5)
    _grouped(axes, {s: [e["by_distortion"][name] for name in names] for s, e in found.items()}, names)
    axes.set_title(
        f"{results['collection']}: the original is the nearest picture of {results['protocol']['copies']['gallery']:,}"
    )
    return figure


def recall_curves(results: Mapping[str, Any]) -> Any:
    """Copy recall against k, one line a space with its interval; None where no copies were made."""
    if any(measured["copy_recall_at_1"] is None for measured in results["spaces"].values()):
        return None
    figure, axes = _figure(5)
    for space, measured in results["spaces"].items():
        found = [measured[f"copy_recall_at_{k}"] for k in KS]
        line = axes.plot(KS, [e["value"] for e in found], marker="o", label=space)[0]
        axes.fill_between(KS, [e["low"] for e in found], [e["high"] for e in found], color=line.get_color(), alpha=0.15)
    axes.set_xticks(KS, [str(k) for k in KS])
    axes.set_xlabel("k")
    axes.set_title(f"{results['collection']}: the original is among the first k")
    _finish(axes)
    return figure


def label_curves(results: Mapping[str, Any]) -> Any:
    """Recall of the label against k, one line a space with its interval; None without labels."""
    curves = {space: measured["recall_curve"] for space, measured in results["spaces"].items()}
    if any(curve is None for curve in curves.values()):
        return None
    figure, axes = _figure(5)
    for space, curve in curves.items():
        depths, found = [int(k) for k in curve], list(curve.values())
        line = axes.plot(depths, [e["value"] for e in found], marker=".", label=space)[0]
        axes.fill_between(
            depths, [e["low"] for e in found], [e["high"] for e in found], color=line.get_color(), alpha=0.15
        )
    axes.set_xscale("log")
    axes.set_xticks(depths, [str(k) for k in depths])
    axes.minorticks_off()
    axes.set_xlabel("k")
    axes.set_title(f"{results['collection']}: share of a label's pictures among the first k")
    _finish(axes, top=None)
    return figure


def cost(results: Mapping[str, Any]) -> Any:
    """Quality against pictures a second on one core; None where either was not measured. Areas are bytes a picture."""
    metric = "precision_at_10" if results["protocol"]["labels"] else "copy_recall_at_1"
    spaces = results["spaces"]
    if any(m[metric] is None or m["pictures_per_second"] is None for m in spaces.values()):
        return None
    figure, axes = _figure(5)
    for space, measured in spaces.items():
        at = (measured["pictures_per_second"]["value"], measured[metric]["value"])
        axes.scatter(*at, s=20 + measured["bytes_per_picture"] / 10, alpha=0.7, label=space)
    rates = [measured["pictures_per_second"]["value"] for measured in spaces.values()]
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 2, max(rates) * 2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("pictures a second on one core")
    axes.set_title(f"{results['collection']}: {metric.replace('_at_', '@').replace('_', ' ')}")
    _finish(axes, top=1.15 * max(measured[metric]["value"] for measured in spaces.values()) + 0.01)
    return figure


def _figure(width: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _grouped(axes: Any, values: Mapping[str, list[Mapping[str, float]]], names: list[str]) -> None:
    width = 0.8 / len(values)
    for i, (space, found) in enumerate(values.items()):
        heights = np.array([e["value"] for e in found])
        errors = [heights - [e["low"] for e in found], np.array([e["high"] for e in found]) - heights]
        at = np.arange(len(names)) + (i - (len(values) - 1) / 2) * width
        axes.bar(at, heights, width * 0.95, yerr=np.maximum(errors, 0), capsize=2, error_kw={"lw": 0.8}, label=space)
    axes.set_xticks(range(len(names)), names)
    _finish(axes)


def _finish(axes: Any, top: float | None = 1.02) -> None:
    axes.set_ylim(0, top)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
