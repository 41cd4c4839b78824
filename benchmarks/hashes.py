"""Hashes and signatures, and the indexes of their copies, beside scans and beside faiss.

    .venv/bin/python -m benchmarks.hashes
    .venv/bin/python -m benchmarks.hashes 300000

3,000,000 random codes of 256 bits (or as many as given), a third of them 0 to 60 bits from others; copies of 0 to 31 bits
look for their originals. Then 30,000 signatures of random parts of the photos in ../shared/data, and distorted copies of 300
of them. Times are of one thread. Writes benchmarks/results/hashes.json and .md.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nitari.extractor import Extractor
from nitari.extractor.pdq import PdqExtractor
from nitari.extractor.phash import PhashExtractor
from nitari.extractor.signature import SignatureExtractor
from nitari.images.distortions import DISTORTIONS, distort
from nitari.images.shrink import shrink
from nitari.index.exact import Exact
from nitari.index.multihash import MultiHash
from nitari.index.words import Words
from nitari.space import Space

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
RADIUS, QUERIES, SIDE = 31, 1000, 96
SIGNATURES, COPIES = 30_000, 300
Row = dict[str, Any]


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000
    images, parts = photos(SIGNATURES)
    results: dict[str, list[Row]] = {}
    for name, measure in (
        ("extraction from 96 px", lambda: extraction([shrink(image, SIDE) for image in images])),
        (f"{n:,} codes of 256 bits", lambda: codes(n)),
        (f"{len(parts):,} signatures", lambda: signatures(images, parts)),
    ):
        results[name] = measure()
        report(results)  # each part once it is there
    print((RESULTS / "hashes.md").read_text(encoding="utf-8"))


def photos(n: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The photos that copies are made of, and n pictures of 96 px among which they are looked for: those photos first,
    then random parts of all photos, at least half as wide and high.
    """
    files = sorted(p for name in ("clothing", "grocery") for p in (DATA / name).rglob("*.jpg"))
    if not files:
        raise SystemExit(f"There are no photos under '{DATA}'")
    random = np.random.default_rng(0)
    files = [files[i] for i in random.permutation(len(files))]
    images, parts = [], []
    for i, file in enumerate(files):
        picture = Image.open(file).convert("RGB")
        if i < COPIES:
            images.append(np.asarray(picture))
        picture.thumbnail((2 * SIDE, 2 * SIDE), Image.Resampling.BOX)
        pixels = np.asarray(picture)
        for _ in range(-(-n // len(files)) if i >= COPIES else 0):
            h, w = (int(random.integers(side // 2, side + 1)) for side in pixels.shape[:2])
            top, left = (
                int(random.integers(0, side - s + 1)) for side, s in zip(pixels.shape[:2], (h, w), strict=True)
            )
            parts.append(shrink(np.ascontiguousarray(pixels[top : top + h, left : left + w]), SIDE))
    return images, [*(shrink(image, SIDE) for image in images), *parts][:n]


def extraction(pictures: list[np.ndarray]) -> list[Row]:
    rows = []
    for extractor in (PdqExtractor(), PhashExtractor(), SignatureExtractor()):
        extractor.extract(pictures)  # what is made once is made
        rows.append(
            {"extractor": extractor.name, "pictures_per_second": round(len(pictures) / cpu(extractor, pictures))}
        )
    return rows


def cpu(extractor: Extractor, pictures: list[np.ndarray]) -> float:
    start = time.process_time()
    extractor.extract(pictures)
    return time.process_time() - start


def codes(n: int) -> list[Row]:
    space = Space("pdq", "hamming", 256, "uint8")
    random = np.random.default_rng(0)
    vectors = random.integers(0, 256, (n, space.width), np.uint8)
    copies = random.permutation(n)[: n // 3]
    for some in np.array_split(copies, max(1, len(copies) // 65536)):
        vectors[some] = flipped(vectors[random.integers(0, max(1, n // 50), len(some))], 60, random)
    originals = random.integers(0, n, QUERIES)
    queries = flipped(vectors[originals], RADIUS, random)
    truth = Exact(space)
    truth.build(vectors)
    scans = 20
    expected = [scanned(truth, query) for query in queries[:scans]]
    rows = []

    index = MultiHash(space, RADIUS)
    start = time.perf_counter()
    index.build(vectors)
    built = time.perf_counter() - start
    found = [index.within(query)[0][0] for query in queries]
    assert all(np.array_equal(np.sort(a), b) for a, b in zip(found, expected, strict=False))
    stored = sum(getattr(index._postings, name).nbytes for name in ("starts", "rows"))
    rows.append(
        {
            "index": f"multihash, all within {RADIUS} bits",
            **times(lambda q: index.within(q), queries),
            "recall": share(found, originals),
            "build_s": round(built, 1),
            "mb": round(stored / 1e6),
        }
    )
    rows.append({"index": "multihash, k = 1", **times(lambda q: index.search(q, 1), queries)})
    rows[-1]["recall"] = share([index.search(query, 1).rows[0] for query in queries], originals)
    rows.append({"index": "exact, k = 1", **times(lambda q: truth.search(q, 1), queries[:scans]), "recall": 1.0})
    rows.append(
        {"index": "exact, k = 1, 256 at once", "p50_ms": batch(lambda: truth.search(queries[:256], 1)), "recall": 1.0}
    )
    rows += beside(vectors, queries, originals)
    return rows


def flipped(vectors: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """(m, width) codes with 0 to ``most`` of their bits changed."""
    order = random.random((len(vectors), vectors.shape[1] * 8), np.float32)
    bits = random.integers(0, most + 1, len(vectors))
    limit = np.take_along_axis(np.sort(order, axis=1), bits[:, None], axis=1)
    return vectors ^ np.packbits(order < limit, axis=1)


def scanned(truth: Exact, query: np.ndarray) -> np.ndarray:
    result = truth.search(query, 200)
    return np.sort(result.rows[0][result.distances[0] <= RADIUS])


def beside(vectors: np.ndarray, queries: np.ndarray, originals: np.ndarray) -> list[Row]:
    """faiss's own multi-index hash, and its scan."""
    import faiss

    faiss.omp_set_num_threads(1)
    rows = []
    for tables, bits, flips in ((12, 20, 1), (11, 23, 2)):
        index = faiss.IndexBinaryMultiHash(256, tables, bits)
        start = time.perf_counter()
        index.add(vectors)
        built = time.perf_counter() - start
        index.nflip = flips
        found = [index.range_search(query[None], RADIUS + 1)[2] for query in queries]
        rows.append(
            {
                "index": f"faiss IndexBinaryMultiHash, {tables} x {bits} bits, {flips} flipped",
                **times(lambda q, i=index: i.range_search(q[None], RADIUS + 1), queries),  # type: ignore[misc]
                "recall": share(found, originals),
                "build_s": round(built, 1),
            }
        )
    flat = faiss.IndexBinaryFlat(256)
    flat.add(vectors)
    rows.append(
        {
            "index": "faiss IndexBinaryFlat, k = 1",
            **times(lambda q: flat.search(q[None], 1), queries[:100]),
            "recall": 1.0,
        }
    )
    return rows


def signatures(images: list[np.ndarray], parts: list[np.ndarray]) -> list[Row]:
    """Whether the first answer to a distorted copy is its original, as ``Words`` and as a scan give it."""
    extractor = SignatureExtractor()
    vectors = np.concatenate([extractor.extract(parts[i : i + 1024]) for i in range(0, len(parts), 1024)])
    index, truth = Words(extractor.space), Exact(extractor.space)
    index.build(vectors)
    truth.build(vectors)
    rows = []
    for name in DISTORTIONS:
        copies = [shrink(distort(image, name, str(i)), SIDE) for i, image in enumerate(images)]
        asked = extractor.extract(copies)
        nearest = truth.search(asked, 1)
        row: Row = {"distortion": name, "exact_recall_at_1": share(list(nearest.rows), np.arange(len(images)))}
        for candidates in (50, 400, 3200):
            index.candidates = candidates
            row[f"words_{candidates}"] = share(list(index.search(asked, 1).rows), np.arange(len(images)))
        index.candidates = 400
        row["within_0.4"] = round(float((nearest.distances[:, 0] < 0.4).mean()), 3)
        row["words_p50_ms"] = times(lambda q: index.search(q, 1), asked[:100])["p50_ms"]
        row["exact_p50_ms"] = times(lambda q: truth.search(q, 1), asked[:5])["p50_ms"]
        rows.append(row)
    return rows


def share(found: list[np.ndarray], wanted: np.ndarray) -> float:
    """Of queries whose original is among what was found."""
    return round(float(np.mean([one in rows for one, rows in zip(wanted.tolist(), found, strict=True)])), 4)


def times(search: Callable[[np.ndarray], object], queries: np.ndarray) -> Row:
    seconds = []
    for query in queries:
        start = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - start)
    return {"p50_ms": round(float(np.median(seconds)) * 1e3, 3), "mean_ms": round(float(np.mean(seconds)) * 1e3, 3)}


def batch(search: Callable[[], object]) -> float:
    start = time.perf_counter()
    search()
    return round((time.perf_counter() - start) / 256 * 1e3, 3)


def report(results: dict[str, list[Row]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "hashes.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    lines = ["# Hashes, signatures and their indexes", ""]
    for name, rows in results.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines += [f"## {name}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
        lines.append("")
    (RESULTS / "hashes.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
