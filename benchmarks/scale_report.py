"""The page that benchmarks/scale.py writes: a table a size, and how each stage grows."""

from __future__ import annotations

import math
from typing import Any

STAGES = ("make", "ingest", "fit", "extract", "build", "evaluate", "release verify", "show", "append")


def report(results: dict[str, Any]) -> str:
    lines = [
        "# At scale",
        "",
        "`.venv/bin/python -m benchmarks.scale N index=hnsw|ivf` makes N pictures and goes the whole way; two cores. Memory is the "
        "processes' own, at its peak; mapped files come on top, and go when others need the memory.",
        "",
    ]
    for name, stages in results.items():
        n, index = name.split()
        lines += [
            f"## {int(n):,} pictures, {index}",
            "",
            "| stage | time | pictures/s | own memory | disk |",
            "|---|---|---|---|---|",
        ]
        for stage in STAGES:
            if found := stages.get(stage):
                count = found.get("pictures", int(n))
                rate = (
                    f"{count / found['seconds']:,.0f}"
                    if stage not in ("fit", "evaluate", "release verify", "show")
                    else ""
                )
                peak = f"{found['peak_mb']:,} MB" if "peak_mb" in found else ""
                lines.append(f"| {stage} | {_clock(found['seconds'])} | {rate} | {peak} | {found['disk_mb']:,.0f} MB |")
        if total := stages.get("total"):
            lines.append(f"| all | {_clock(total['seconds'])} | | | {total['disk_mb']:,.0f} MB |")
        if served := stages.get("serve"):
            lines += ["", f"Served: ready after {served['ready_seconds']} s, {served['peak_mb']:,} MB of its own.", ""]
            lines += ["| more-like, one space, k = 20 | requests/s | p50 ms | p99 ms |", "|---|---|---|---|"]
            for kind, row in served.items():
                if isinstance(row, dict):
                    lines.append(f"| {kind} | {row['rate']:,.0f} | {row['p50_ms']} | {row['p99_ms']} |")
        lines.append("")
    if growth := _growth(results):
        lines += [
            "## How it grows",
            "",
            "Exponent of n between the smallest and the largest run: 1 is linear.",
            "",
            *growth,
            "",
        ]
    return "\n".join(lines)


def _growth(results: dict[str, Any]) -> list[str]:
    found = []
    for index in sorted({name.split()[1] for name in results}):
        sizes = sorted(int(name.split()[0]) for name in results if name.split()[1] == index)
        if len(sizes) < 2:
            continue
        small, large = (results[f"{n} {index}"] for n in (sizes[0], sizes[-1]))
        for stage in ("ingest", "extract", "build"):
            if stage in small and stage in large:
                power = math.log(large[stage]["seconds"] / small[stage]["seconds"]) / math.log(sizes[-1] / sizes[0])
                found.append(f"- {index}, {stage}: {power:.2f} ({sizes[0]:,} to {sizes[-1]:,})")
    return found


def _clock(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s" if seconds < 6000 else f"{seconds / 3600:.1f} h"
