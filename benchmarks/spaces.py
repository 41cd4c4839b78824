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

from benchmarks.capacity import solved
from benchmarks.scale import RESULTS, ROOT, command, disk, save, take
from benchmarks.scale_serve import served
from benchmarks.table import table
from nitari.collection import Collection

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
            take(folder / "scale" / kind, collection.path / kind)
    where = [f"root={folder}", f"collection={collection.name}"]
    for (dim,) in ALONE:
        if str(dim) not in found["extract"]:
            words = [f"extractor.name=pixels{dim}", "extractor.size=32", f"extractor.postprocess.pca={dim}"]
            found["extract"][str(dim)] = measured(collection, ["extract", *where, "extractor=pixels", *words])
            save(results, FILE)
    for index in indexes:
        rows = found.setdefault(index, {})
        for dims in ALONE + (TOGETHER if index == "ivf" else TOGETHER[:1]):
            name = "+".join(map(str, dims))
            if name not in rows:
                spaces = f"release.spaces=[{','.join(f'pixels{dim}' for dim in dims)}]"
                shutil.rmtree(collection.path / "indexes", ignore_errors=True)  # else they are taken over
                shutil.rmtree(collection.path / "releases", ignore_errors=True)
                for file in ("current", "releases.jsonl"):
                    (collection.path / file).unlink(missing_ok=True)
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
                save(results, FILE)


def measured(collection: Collection, words: list[str]) -> dict[str, Any]:
    print(" ".join(words), file=sys.stderr, flush=True)
    before = disk(collection.path)
    return command(words) | {"disk_mb": round((disk(collection.path) - before) / 1e6, 1)}


def report(results: Mapping[str, Any]) -> str:
    lines = [
        "# Numbers in a space, and spaces",
        "",
        "`.venv/bin/python -m benchmarks.spaces N`, after `.venv/bin/python -m benchmarks.scale N`: the first principal components of "
        "32 px pictures as spaces. Two cores; memory is the processes' own. More like one item asks every space of the release.",
        "",
    ]
    for n, found in results.items():
        kept = {"core_seconds": "core s", "peak_mb": "own MB", "disk_mb": "MB on disk"}
        rows = [
            {"extract, numbers": dim} | {title: row[key] for key, title in kept.items()}
            for dim, row in found["extract"].items()
        ]
        lines += [f"## {int(n):,} pictures", "", *table(rows), ""]
        for index, releases in found.items():
            if index != "extract":
                lines += [*_measured(index, releases), "", *_modelled(index, releases), ""]
    return "\n".join(lines)


def _measured(index: str, releases: Mapping[str, Mapping[str, float]]) -> list[str]:
    what = f"`{index}`, numbers of each space"
    return table(
        [{what: name} | {title: row[key] for key, title in QUANTITIES.items()} for name, row in releases.items()]
    )


def _modelled(index: str, releases: Mapping[str, Mapping[str, float]]) -> list[str]:
    dims = [[int(dim) for dim in name.split("+")] for name in releases]
    terms = np.array([[1.0, len(each), sum(each)] for each in dims])
    rows = []
    for key, title in QUANTITIES.items():
        values = [row[key] for row in releases.values()]
        factors = solved(terms, values)
        off = np.abs(terms @ factors / values - 1).max()
        rows.append(
            {"": title} | dict(zip("abc", (f"{one:.3g}" for one in factors), strict=True)) | {"farthest": f"{off:.0%}"}
        )
    what = f"`{index}`: a + b × spaces + c × numbers of all spaces together, and how far the releases are from it:"
    return [what, "", *table(rows)]


if __name__ == "__main__":
    main()
