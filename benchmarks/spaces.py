"""What numbers in a space and spaces in a release cost: extract, build and serve, by dimension and for several spaces at once.

    .venv/bin/python -m benchmarks.spaces 100000
    .venv/bin/python -m benchmarks.spaces 100000 index=ivf,hnsw root=.bench/scale

After ``python -m benchmarks.scale N``, whose catalog and thumbnails it takes. The spaces are ``pixels`` of 32 px, their first 32
to 512 principal components. A line is fitted to all releases. What is in the results is not measured again. Writes benchmarks/results/spaces.json and spaces.md.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale import RESULTS, ROOT, command, disk, served
from nitari.collection import Collection
from nitari.files import link_or_copy

FILE = RESULTS.with_name("spaces.json")
PAGE = RESULTS.with_name("spaces.md")
DEFAULTS = {"index": "ivf,hnsw", "root": str(ROOT / ".bench" / "scale")}
ALONE = ((32,), (64,), (128,), (256,), (512,))
TOGETHER = ((64, 128), (64, 128, 256), (32, 64, 128, 256, 512))
QUANTITIES = {
    "build_s": "build, core s",
    "build_mb": "build, own MB",
    "disk_mb": "index, MB on disk",
    "serve_mb": "serve, own MB",
    "p50_ms": "more like, p50 ms",
    "tenth_ms": "in a random tenth, p50 ms",
}


def main() -> None:
    given = DEFAULTS | dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    results: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for n in [int(word) for word in sys.argv[1:] if word.isdigit()] or [100_000]:
        run(n, given["index"].split(","), Path(given["root"]), results)
    PAGE.write_text(report(results), encoding="utf-8")
    print(report(results))


def run(n: int, indexes: Sequence[str], root: Path, results: dict[str, Any]) -> None:
    found = results.setdefault(str(n), {"extract": {}})
    folder = root / str(n) / "collections"
    collection = Collection(folder, "spaces")
    if not collection.path.exists():
        if not (folder / "scale" / "catalog").exists():
            sys.exit(f"There is no collection in {folder}. Make it with: .venv/bin/python -m benchmarks.scale {n}")
        for kind in ("catalog", "thumbnails"):
            for file in (path for path in (folder / "scale" / kind).rglob("*") if path.is_file()):
                link_or_copy(file, collection.path / file.relative_to(folder / "scale"))
    where = [f"root={folder}", f"collection={collection.name}"]
    for (dim,) in ALONE:
        if str(dim) not in found["extract"]:
            words = [f"extractor.name=pixels{dim}", "extractor.size=32", f"extractor.postprocess.pca={dim}"]
            found["extract"][str(dim)] = measured(collection, ["extract", *where, "extractor=pixels", *words])
            _save(results)
    for index in indexes:
        rows = found.setdefault(index, {})
        for dims in ALONE + (TOGETHER if index == "ivf" else TOGETHER[:1]):
            name = "+".join(map(str, dims))
            if name not in rows:
                spaces = f"release.spaces=[{','.join(f'pixels{dim}' for dim in dims)}]"
                shutil.rmtree(collection.path / "indexes", ignore_errors=True)  # else they are taken over
                shutil.rmtree(collection.path / "releases", ignore_errors=True)
                built = measured(collection, ["build", *where, f"index={index}", spaces])
                asked = served(collection, seconds=5)
                rows[name] = {
                    "build_s": built["core_seconds"],
                    "build_mb": built["peak_mb"],
                    "disk_mb": built["disk_mb"],
                    "serve_mb": asked["peak_mb"],
                    "p50_ms": asked["unfiltered"]["p50_ms"],
                    "tenth_ms": asked["a tenth"]["p50_ms"],
                }
                _save(results)


def measured(collection: Collection, words: list[str]) -> dict[str, Any]:
    print(" ".join(words), file=sys.stderr, flush=True)
    before = disk(collection.path)
    return command(words) | {"disk_mb": round((disk(collection.path) - before) / 1e6, 1)}


def line(rows: Mapping[str, Mapping[str, float]], quantity: str) -> tuple[float, float, float]:
    """(a, b, c) of ``a + b * spaces + c * numbers`` by least squares of relative errors, none below 0."""
    dims = [[int(dim) for dim in name.split("+")] for name in rows]
    design = np.array([[1.0, len(each), sum(each)] for each in dims])
    values = np.array([row[quantity] for row in rows.values()])
    best, error = np.zeros(3), np.inf
    for chosen in ([0, 1, 2], [0, 2], [1, 2], [2], [0, 1]):
        solution = np.zeros(3)
        solution[chosen] = np.linalg.lstsq(design[:, chosen] / values[:, None], np.ones(len(values)), rcond=None)[0]
        apart = float(((design @ solution / values - 1) ** 2).sum())
        if (solution >= 0).all() and apart < error - 1e-12:
            best, error = solution, apart
    return float(best[0]), float(best[1]), float(best[2])


def report(results: Mapping[str, Any]) -> str:
    lines = [
        "# Numbers in a space, and spaces",
        "",
        "`.venv/bin/python -m benchmarks.spaces N`, after `.venv/bin/python -m benchmarks.scale N`: the first principal components of "
        "32 px pictures as spaces. Two cores; memory is the processes' own. More like one item asks every space of the release.",
        "",
    ]
    for n, found in results.items():
        lines += [
            f"## {int(n):,} pictures",
            "",
            "| extract, numbers | core s | own MB | MB on disk |",
            "|---|---|---|---|",
        ]
        for dim, row in found["extract"].items():
            lines.append(f"| {dim} | {row['core_seconds']} | {row['peak_mb']} | {row['disk_mb']} |")
        for index, rows in found.items():
            if index == "extract":
                continue
            lines += ["", f"| `{index}`, numbers of each space | {' | '.join(QUANTITIES.values())} |"]
            lines.append("|---" * (1 + len(QUANTITIES)) + "|")
            for name, row in rows.items():
                lines.append(f"| {name} | {' | '.join(str(row[key]) for key in QUANTITIES)} |")
            lines += [
                "",
                f"`{index}`: a + b × spaces + c × numbers of all spaces together, and how far the releases are from it:",
                "",
            ]
            lines += ["| | a | b | c | farthest |", "|---|---|---|---|---|"]
            for key, title in QUANTITIES.items():
                a, b, c = line(rows, key)
                off = [
                    abs((a + b * (name.count("+") + 1) + c * sum(map(int, name.split("+")))) / row[key] - 1)
                    for name, row in rows.items()
                ]
                lines.append(f"| {title} | {a:.3g} | {b:.3g} | {c:.3g} | {max(off):.0%} |")
        lines.append("")
    return "\n".join(lines)


def _save(results: Mapping[str, Any]) -> None:
    FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
