"""The page that benchmarks/serve.py writes."""

from __future__ import annotations

from typing import Any


def report(results: dict[str, Any]) -> str:
    lines = [
        "# The server under load",
        "",
        f"`.venv/bin/python -m benchmarks.serve`: {results['items']:,} items, {results['workers']} workers, two cores that the "
        "generator shares. Each request asks for another item.",
        "",
        "| | requests/s | p50 ms | p99 ms | at half load p50 | p99 | errors |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in results["load"].items():
        half = row.get("half", {})
        lines.append(
            f"| {name} | {row['rate']:,.0f} | {row['p50_ms']} | {row['p99_ms']} | {half.get('p50_ms', '')} | "
            f"{half.get('p99_ms', '')} | {row['errors'] + half.get('errors', 0)} |"
        )
    memory, swapped = results["memory_mb"], results["swap"]
    lines += [
        "",
        f"- Start to ready: {results['start_to_ready_seconds']} s.",
        f"- A worker's own memory: {memory['idle']['own']:.0f} MB when ready, {memory['after']['own']:.0f} MB after the load "
        f"({memory['after']['resident']:.0f} MB with mapped files); indexes and vectors are {results['resident_index_mb']} MB.",
        f"- {swapped['swaps']} swaps of the release under load: {swapped['requests']:,} requests, {swapped['errors']} failed, "
        f"own memory {swapped['own_mb_before']:.0f} MB before and {swapped['own_mb_most']:.0f} MB at most.",
        *(
            f"- Upload of a {name} to its answer, three spaces: p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms."
            for name, row in results["upload"].items()
        ),
    ]
    lines += [f"- {remark}" for remark in results.get("remarks", ())]
    if soaked := results.get("soak"):
        lines += [
            "",
            "## Soak",
            "",
            f"`.venv/bin/python -m benchmarks.serve soak`: {soaked['minutes']} minutes at {soaked['rate']} requests/s, half the peak: "
            f"{soaked['errors']} errors; p99 {soaked['p99_ms_first_third']} ms in the first third, {soaked['p99_ms_last_third']} "
            f"in the last; a worker's own memory by minute: {', '.join(f'{own:.0f}' for own in soaked['own_mb'])} MB.",
        ]
    lines += [
        "",
        "## Beside others",
        "",
        "clip-retrieval's README gives 50 ms a query and about 20 queries a second for its service, with memory-mapped indexes and "
        "metadata; encoding the query's text or picture by CLIP is part of that, so it is the upload above that compares with it. "
        "The bare route is what uvicorn can do on these cores.",
        "",
    ]
    return "\n".join(lines)
