"""Damages every kind of artifact at random: what is opened then is refused by name, or gives what it gave before.

    .venv/bin/python -m benchmarks.mutations
    .venv/bin/python -m benchmarks.mutations COLLECTION [ROOT]

Flips bits, cuts, zeroes, shuffles, swaps with other files and removes, a copy of the collection's current release.
Native files (graph, network) are also damaged without a trace in their size and time. Without a collection, one is made
from ../shared/data. Writes benchmarks/results/mutations.json and .md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.errors import NitariError
from nitari.extractor.stored import restore
from nitari.index import open_index
from nitari.thumbnails import Thumbnails

RESULTS = Path(__file__).parent / "results"
N = 1000
NATIVE = (".nmslib", ".onnx")


class Part(NamedTuple):
    """One artifact of a release, and what reading it gives."""

    kind: str
    artifact: Artifact
    read: Callable[[], bytes]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if len(sys.argv) > 1:
            source = Collection.existing(sys.argv[2] if len(sys.argv) > 2 else "collections", sys.argv[1])
            shutil.copytree(source.path, root / source.name)
            name = source.name
        else:
            name = make(root)
        kinds = sorted({part.kind for part in parts(Collection(root, name))})
        rows = []
        for kind in kinds:
            start = time.perf_counter()
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                try:
                    found = pool.submit(trials, root, name, kind, N, 0).result()
                except BrokenProcessPool:
                    found = Counter({"the process died": 1})
            rows.append({"artifact": kind, **found, "seconds": round(time.perf_counter() - start, 1)})
            print(rows[-1], flush=True)
    report(rows)


def make(root: Path) -> str:
    """A small collection with every kind of artifact."""
    pictures = Path(__file__).resolve().parents[2] / "shared" / "data" / "clothing"
    folder = root / "pictures"
    folder.mkdir()
    for file in sorted(pictures.rglob("*.jpg"))[:200]:
        shutil.copy(file, folder)
    for words in (
        ["ingest", "source=folder", f"source.path={folder}"],
        ["fit", "trainer.epochs=1"],
        ["extract", "extractor=encoder"],
        ["extract", "extractor=colour"],
        ["build"],
    ):
        command = [str(Path(sys.executable).with_name("nitari")), words[0], f"root={root}", "collection=mutated"]
        subprocess.run([*command, "tracking=null", *words[1:]], check=True, stdout=subprocess.DEVNULL)
    return "mutated"


def parts(collection: Collection) -> list[Part]:
    """Everything that the current release pins, opened anew: nothing is remembered from before a damage."""
    release = collection.release()
    catalog = collection.parent(release, "catalog")
    thumbnails = collection.parent(release, "thumbnails")
    found = [
        Part("release", release, lambda: json.dumps(release.manifest.info).encode()),
        Part("catalog", catalog, lambda: _catalog(Catalog(catalog))),
        Part("thumbnails", thumbnails, lambda: _thumbnails(Thumbnails(thumbnails))),
    ]
    for space in release.manifest.info["spaces"]:
        artifact = collection.parent(release, f"embeddings:{space}", space)
        embeddings = Embeddings(artifact)
        index = collection.parent(release, f"index:{space}", space)
        found += [
            Part("embeddings", artifact, lambda e=embeddings: _vectors(collection, e)),  # type: ignore[misc]
            Part("index", index, lambda i=index, e=embeddings: _index(i, e)),  # type: ignore[misc]
        ]
        if "encoder" in artifact.manifest.parents:
            encoder = collection.parent(release, f"encoder:{space}")
            found.append(Part("encoder", encoder, lambda a=artifact: _extract(collection, a)))  # type: ignore[misc]
    return found


def trials(root: Path, name: str, kind: str, n: int, seed: int) -> Counter[str]:
    """``n`` mutations of the files of one kind of artifact; how often each thing came of them.

    ``refused``: a NitariError that names the artifact or the file. ``refused when verified``: nothing that was read had
    changed, and ``verify`` refuses it. All else should not be.
    """
    collection = Collection(root, name)
    before = {part.artifact.path: part.read() for part in parts(collection) if part.kind == kind}
    targets = [
        part.artifact.path / file
        for part in parts(collection)
        if part.kind == kind
        for file in [*part.artifact.manifest.files, "manifest.json"]
    ]
    if kind == "release":
        targets.append(collection.path / "current")
    others = [p for p in collection.path.rglob("*") if p.is_file() and p.stat().st_size]
    random = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    while found.total() < n:
        target = targets[random.integers(len(targets))]
        data, stat = target.read_bytes(), target.stat()
        changed = mutate(data, random, others)
        if changed == data:
            continue
        if changed is None:
            target.unlink()
        else:
            target.write_bytes(changed)
            if target.suffix in NATIVE and len(changed) == len(data) and random.random() < 0.5:
                os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        found[outcome(collection, kind, target, before)] += 1
        target.write_bytes(data)
    return found


def mutate(data: bytes, random: np.random.Generator, others: list[Path]) -> bytes | None:
    """Damaged bytes, or None: the file is gone."""
    at, length = int(random.integers(max(1, len(data)))), int(random.integers(1, max(2, len(data))))
    match random.choice(
        ["flip", "cut", "zero", "shuffle", "swap", "empty", "gone", "longer"], p=[0.4, *[0.1] * 4, *[1 / 15] * 3]
    ):
        case "flip":
            changed = bytearray(data)
            for place in random.integers(0, max(1, len(data)), random.integers(1, 9)) if data else ():
                changed[place] ^= 1 << random.integers(8)
            return bytes(changed)
        case "cut":
            return data[:at]
        case "zero":
            length = min(length, 4096, len(data) - at)
            return data[:at] + bytes(length) + data[at + length :]
        case "shuffle":
            block = np.frombuffer(data[at : at + length], np.uint8)
            return data[:at] + random.permutation(block).tobytes() + data[at + length :]
        case "swap":
            return others[random.integers(len(others))].read_bytes()
        case "empty":
            return b""
        case "gone":
            return None
        case _:
            return data + data[at : at + length]


def outcome(collection: Collection, kind: str, target: Path, before: dict[Path, bytes]) -> str:
    """What came of reading the damaged collection: see ``trials``."""
    try:
        now = {part.artifact.path: part.read() for part in parts(collection) if part.kind == kind}
    except NitariError as error:
        names = [target.name, target.parent.name, target.parent.parent.name, kind]
        return "refused" if any(name in str(error) for name in names) else f"refused without its name: {error}"
    except Exception as error:
        return f"not caught: {type(error).__name__} in {target.name}"
    if now != before:
        return f"believed: {target.name}"
    try:
        for part in parts(collection):
            part.artifact.verify()
    except NitariError:
        return "refused when verified"
    return f"not seen: {target.name}"


def _catalog(catalog: Catalog) -> bytes:
    return json.dumps(catalog.records(range(catalog.n_ready)), default=str).encode()


def _thumbnails(thumbnails: Thumbnails) -> bytes:
    return b"".join(data for size in thumbnails.sizes for data in thumbnails.read_bytes(range(len(thumbnails)), size))


def _index(artifact: Artifact, embeddings: Embeddings) -> bytes:
    result = open_index(artifact, embeddings).search(embeddings.vectors[:20], 10)
    return result.rows.tobytes() + result.distances.tobytes()


def _vectors(collection: Collection, embeddings: Embeddings) -> bytes:
    return np.asarray(embeddings.vectors).tobytes() + _extract(collection, embeddings.artifact)


def _extract(collection: Collection, embeddings: Artifact) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    return restore(collection, embeddings).extract([picture]).tobytes()


def report(rows: list[dict[str, object]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "mutations.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    head = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["# Random damage, and what came of it", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(row.get(key, 0)) for key in head) + " |" for row in rows]
    (RESULTS / "mutations.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
