"""Injected duplicates: how many ``nitari duplicates`` finds, what it joins that differs, and what chains would do.

    .venv/bin/python -m benchmarks.duplicates [originals=60] [sets=clothing,grocery,emoji,logos] [encoders=FOLDER]

Seven kinds of easy copies and a twin of some pictures of ../shared/data, or of the logos in the wheel ``diagrams``, are ingested
among all training pictures of their set, and grouped in PDQ, with and without a look at their pixels, and by the newest encoder
of FOLDER/<set>/encoders where that is given. Writes benchmarks/results/duplicates.json and .md.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from nitari import conf
from nitari.annotator.groups import Near
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor import create
from nitari.extractor.encoder import EncoderExtractor
from nitari.images.decode import Limits, decode
from nitari.images.verifier import Verifier
from nitari.index.exact import Exact
from nitari.source.listing import Listing
from nitari.steps.duplicates import duplicates, same_bytes
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest
from nitari.steps.pictures import Pictures

from .copies import DATA, HELD_OUT, KINDS, RESULTS

EASY = ("re-encoded", "scale", "jpeg", "brightness", "contrast", "blur", "96 px")
DRAWN = ("emoji", "logos")
THRESHOLDS = {"pdq": (16, 31, 48, 64), "encoder": (0.03, 0.06, 0.09, 0.12, 0.16)}


def main() -> None:
    asked = {"originals": "60", "sets": ",".join([*HELD_OUT, *DRAWN]), "encoders": ""}
    asked |= dict(word.split("=", 1) for word in sys.argv[1:])
    file = RESULTS / "duplicates.json"
    for name in asked["sets"].split(","):
        encoders = Path(asked["encoders"]) / name / "encoders" if asked["encoders"] else None
        with tempfile.TemporaryDirectory() as folder:
            found = measure(name, Path(folder), int(asked["originals"]), encoders)
        results = (json.loads(file.read_text()) if file.exists() else {}) | {name: found}
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "duplicates.md").write_text(report(results), encoding="utf-8")
    print(report(results))


def measure(name: str, folder: Path, originals: int, encoders: Path | None) -> dict[str, Any]:
    paths = list({path.read_bytes(): path for path in reversed(pictures(name))}.values())[::-1]  # each once
    copied = np.random.default_rng(1).choice(len(paths), originals, replace=False)
    collection = Collection(folder, name)
    listing = Listing("injected")
    for at, path in enumerate(paths):
        add(listing, f"{at:05d}/original.jpg", path)
    for at in sorted(copied):
        for kind, path in copies(paths[at], folder / "copies" / f"{at:05d}").items():
            add(listing, f"{at:05d}/{kind}.jpg", path)
    ingest(collection, listing.table(), source_name="injected")
    spec = yaml.safe_load((Path(conf.__file__).parent / "extractor" / "pdq.yaml").read_text())
    extract(collection, create(spec))
    if encoders is not None:
        newest = sorted(encoders.iterdir())[-1]
        shutil.copytree(newest, collection.folder("encoder") / newest.name)
        extract(collection, EncoderExtractor(collection.folder("encoder") / newest.name, follow=True))
    spaces = {space: joined(collection, space) for space in THRESHOLDS if collection.ids("embeddings", space)}
    return {"pictures": len(paths), "copies": originals * (len(EASY) + 1), "spaces": spaces}


def pictures(name: str) -> list[Path]:
    if name == "logos":
        return sorted(
            (Path(str(importlib.util.find_spec("diagrams").origin)).parent.parent / "resources").rglob("*.png")
        )
    return sorted((DATA / name).rglob("*.png") if name in DRAWN else (DATA / name / "train").rglob("*.jpg"))


def add(listing: Listing, key: str, path: Path) -> None:
    status = path.stat()
    fingerprint = f"{status.st_size}-{status.st_mtime_ns}"
    listing.add(key, str(path.resolve()), size=status.st_size, fingerprint=fingerprint)


def copies(path: Path, folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True)
    image = decode(path.read_bytes(), Limits.none(), background=(255, 255, 255)).pixels
    made = {"twin": folder / "twin.jpg"}
    shutil.copy(path, made["twin"])
    for kind in EASY:
        made[kind] = folder / f"{kind}.jpg"
        Image.fromarray(KINDS[kind](image, path.name.encode().hex().rjust(8, "0"))).save(made[kind], quality=90)
    return made


def joined(collection: Collection, space: str) -> list[dict[str, Any]]:
    """By threshold: copies in the group of their original, pictures in a group of another, and the largest group."""
    embeddings = Embeddings(collection.latest("embeddings", space))
    catalog = Catalog(collection.latest("catalog"))
    index = Exact(embeddings.space)
    index.build(embeddings.vectors)
    truth = np.array([name.split("/")[0] for name in catalog.ready("file_name").to_pylist()])
    near, apart = index.search(np.asarray(embeddings.vectors), 64)
    found = []
    for threshold, verify in itertools.product(THRESHOLDS[space], (False, True)):
        verifier = Verifier(Pictures(collection, catalog).read) if verify else None
        start = time.perf_counter()
        table = duplicates(catalog, Near(embeddings.space, embeddings.vectors, index.search, threshold, verifier))
        seconds = time.perf_counter() - start
        mine = scored(truth, table.column("row").to_numpy(), table.column("group").to_numpy())
        chained = scored(truth, *chain(near, apart <= threshold, same_bytes(catalog)))
        found.append({"threshold": threshold, "verified": verify, "seconds": seconds, **mine, "chained": chained})
    return found


def scored(truth: np.ndarray, rows: np.ndarray, group: np.ndarray) -> dict[str, int]:
    of = np.full(len(truth), -1)
    of[rows] = group
    names, counts = np.unique(truth, return_counts=True)
    found = 0
    for name in names[counts > 1]:
        members = of[truth == name]
        if (members >= 0).any():
            found += int(np.bincount(members[members >= 0]).max()) - 1
    wrong = sum(len(set(truth[of == g])) - 1 for g in np.unique(group))
    sizes = np.bincount(group) if len(group) else np.zeros(1, int)
    return {"found": found, "wrong": wrong, "groups": len(np.unique(group)), "largest": int(sizes.max())}


def chain(near: np.ndarray, joins: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transitive groups of the same neighbours (union-find): rows and group of those with more than one."""
    root = np.arange(len(same))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]
        return row

    for row, others in enumerate(near):
        for other in others[joins[row]]:
            root[find(int(other))] = find(row)
    first: dict[int, int] = {}
    for row, code in enumerate(same):
        root[find(row)] = find(first.setdefault(int(code), row))
    owner = np.array([find(row) for row in range(len(same))])
    _, group, sizes = np.unique(owner, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[group] > 1)
    return rows, np.unique(group[rows], return_inverse=True)[1]


def report(results: dict[str, Any]) -> str:
    lines = ["# Injected duplicates", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    lines += [
        "Wrong: pictures in a group of another, some of which are the same logo filed twice. Seen: compared pixel by pixel as well. In "
        "brackets: groups by chains of neighbours (union-find) instead.",
        "",
    ]
    lines += [
        "| set | space | distance | seen | found | wrong | groups | largest | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for space, rows in result["spaces"].items():
            for row in rows:
                cells = [f"{row[key]:,} ({row['chained'][key]:,})" for key in ("found", "wrong", "groups", "largest")]
                cells[0] += f" of {result['copies']:,}"
                seen = "yes" if row["verified"] else "no"
                head = f"| {name} | {space} | {row['threshold']:g} | {seen} | "
                lines.append(head + " | ".join([*cells, f"{row['seconds']:.1f}"]) + " |")
    return "\n".join([*lines, "", "`.venv/bin/python -m benchmarks.duplicates`", ""])


if __name__ == "__main__":
    main()
