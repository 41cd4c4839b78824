"""The page that benchmarks/scale.py writes: a table a size, and the capacity model beside the largest run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.capacity import QUANTITIES, model

ONCE = ("fit", "evaluate", "release verify", "show")  # their time hardly depends on the number of pictures

_ORDER = ("make", "ingest", "fit", "extract", "build", "evaluate", "serve", "cold", "filtered")
_ORDER += ("verify", "show", "storage", "append", "total")
KINDS = {
    "seconds": "time",
    "core_seconds": "core time",
    "peak_mb": "memory",
    "main_mb": "memory without workers",
    "disk_mb": "disk",
}


def ordered(results: dict[str, Any]) -> dict[str, Any]:
    """Runs from the smallest on, and the stages of each as they follow one another, index by index."""

    def place(stage: str) -> tuple[int, str, int]:
        index, _, name = stage.rpartition(" ")
        own = _ORDER.index("build") <= (at := _ORDER.index(name)) <= _ORDER.index("filtered")
        return (_ORDER.index("build") if own else at, index if own else "", at)

    runs = sorted(results, key=int)
    return {n: {stage: results[n][stage] for stage in sorted(results[n], key=place)} for n in runs}


def report(results: dict[str, Any]) -> str:
    lines = [
        "# At scale",
        "",
        "`.venv/bin/python -m benchmarks.scale N` makes N pictures and goes the whole way; two cores. Memory is the processes' own, "
        "at its peak; mapped files come on top, and go when others need the memory.",
        "",
    ]
    results = ordered(results)
    for name, stages in results.items():
        indexes = ",".join(stage.split()[0] for stage in stages if stage.endswith(" build"))
        taken = "" if "fit" in stages else " extractor=.bench/scale/30000/collections/scale/encoders"
        if vectors := _given(stages):
            taken += f" vectors={vectors}"
        command = f".venv/bin/python -m benchmarks.scale {name} index={indexes}{taken}"
        lines += [f"## {int(name):,} pictures", "", f"`{command}`; one row: `again=STAGE`", ""]
        lines += [*_stages(int(name), stages), "", *_served(stages), *_filtered(stages), *_storage(stages)]
    return "\n".join([*lines, *_model(results)])


def _stages(n: int, stages: dict[str, Any]) -> list[str]:
    lines = ["| stage | time | core time | pictures/s | own memory | disk |", "|---|---|---|---|---|---|"]
    for stage, found in stages.items():
        if "seconds" not in found or stage == "total":
            continue
        rate = "" if stage.endswith(ONCE) else f"{found.get('pictures', n) / max(found['seconds'], 0.1):,.0f}"
        peak = f"{found['peak_mb']:,} MB" if "peak_mb" in found else ""
        cores = _clock(found["core_seconds"]) if "core_seconds" in found else ""
        lines.append(
            f"| {stage} | {_clock(found['seconds'])} | {cores} | {rate} | {peak} | {found['disk_mb']:,.0f} MB |"
        )
    if vectors := _given(stages):
        lines.append(f"| extract | | | | the first vectors of `{vectors}` instead | |")
    if total := stages.get("total"):
        lines.append(f"| all | {_clock(total['seconds'])} | | | | {total['disk_mb']:,.0f} MB |")
    return lines


def _given(stages: dict[str, Any]) -> str | None:
    """Whose vectors took the place of extracted ones."""
    return stages.get("extract", {}).get("vectors")


def _served(stages: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for stage, served in stages.items():
        if not stage.endswith("serve"):
            continue
        index = stage.split()[0]
        lines += [
            f"Served with `{index}`: ready after {served['ready_seconds']} s, {served['peak_mb']:,} MB of its own.",
            "",
        ]
        lines += ["| more-like, one space, k = 20 | requests/s | p50 ms | p99 ms |", "|---|---|---|---|"]
        for kind, row in served.items():
            if isinstance(row, dict):
                lines.append(f"| {kind} | {row['rate']:,.0f} | {row['p50_ms']} | {row['p99_ms']} |")
        if cold := stages.get(f"{index} cold"):
            for kind, row in cold.items():
                if isinstance(row, dict):
                    lines.append(
                        f"| with no file in memory, {kind} | {row['rate']:,.0f} | {row['p50_ms']} | {row['p99_ms']} |"
                    )
            lines += ["", f"With no file in memory, it was ready after {cold['ready_seconds']} s."]
        lines.append("")
    return lines


def _filtered(stages: dict[str, Any]) -> list[str]:
    rows = [row for stage, found in stages.items() if stage.endswith("filtered") for row in found["rows"]]
    if not rows:
        return []
    kept = ("index", "where", "share", "ann_recall_at_10", "p50_us", "p99_us", "cold_p99_us", "plan")
    lines = ["Filtered search on one core; `alike` are clusters of the vectors, `random` are drawn.", ""]
    lines += ["| " + " | ".join(kept) + " |", "|---" * len(kept) + "|"]
    return [*lines, *("| " + " | ".join(str(row[name]) for name in kept) + " |" for row in rows), ""]


def _storage(stages: dict[str, Any]) -> list[str]:
    if "storage" not in stages:
        return []
    lines = ["| stored as | bytes a vector | exact scan, ms | recall@10 |", "|---|---|---|---|"]
    for way, row in stages["storage"]["ways"].items():
        lines.append(f"| {way} | {row['bytes']:,} | {row['scan_ms']} | {row['recall_at_10']} |")
    return [*lines, ""]


def _model(results: dict[str, Any]) -> list[str]:
    """What the smaller runs say of the largest one, beside what it took."""
    largest = max((int(name) for name in results), default=0)
    lines = [
        "## The model",
        "",
        f"`fixed + slope * n`, n log n for the building of a graph, fitted to the smaller runs; beside the run of {largest:,}.",
        "",
        "| stage | quantity | fixed | a million more | predicted | measured | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for stage, quantities in model(results, largest).items():
        for quantity, line in quantities.items():
            measured = results[str(largest)].get(stage, {}).get(quantity)
            if not measured:
                continue
            unit, predicted = QUANTITIES[quantity], line.at(largest)
            if quantity == "main_mb" and not any(
                "main_mb" in s[stage] and s[stage]["main_mb"] < s[stage]["peak_mb"]
                for s in results.values()
                if stage in s
            ):
                continue  # no other process helps
            ratio = f"{measured / predicted:.2f}" if predicted > 0 else ""
            lines.append(
                f"| {stage} | {KINDS[quantity]} | {line.fixed:,.1f} {unit} | {line.per_million:,.1f} {unit} | {predicted:,.1f} {unit} "
                f"| {measured:,.1f} {unit} | {ratio} |"
            )
    return [*lines, ""] if len(lines) > 6 else []


def plot(results: dict[str, Any], file: Path) -> None:
    """Seconds and peak memory of each stage by the number of pictures, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    results = ordered(results)
    sizes = [int(name) for name in results]
    stages = dict.fromkeys(
        stage for run in results.values() for stage, found in run.items() if "seconds" in found and stage != "total"
    )
    colours = dict(zip(stages, plt.get_cmap("tab20").colors, strict=False))  # type: ignore[attr-defined]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, quantity, label in zip(axes, ("seconds", "peak_mb"), ("seconds", "own memory, MB"), strict=True):
        for stage in stages:
            points = [(n, results[str(n)].get(stage, {}).get(quantity)) for n in sizes]
            points = [(n, value) for n, value in points if value]
            if len(points) > 1:
                axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=stage, color=colours[stage])
        axis.set(xscale="log", yscale="log", xlabel="pictures", ylabel=label)
        axis.grid(alpha=0.3)
    lines, labels = axes[0].get_legend_handles_labels()  # of which the other has some
    axes[1].legend(lines, labels, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _clock(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s" if seconds < 6000 else f"{seconds / 3600:.1f} h"
