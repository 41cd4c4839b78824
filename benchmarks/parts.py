"""Does a part of a picture find the picture? Crops of 30-60% of the area, and pictures pasted into others at that size.

    .venv/bin/python -m benchmarks.parts [COLLECTION [ROOT [SPACE,...]]]

Held-out pictures look for themselves among all. A pasted picture's background is another of the collection, which may
rightly come first. `verified` puts the first 10 in the order of `images.geometry.verify`'s inliers. Needs spaces that are
extracted. Adds to benchmarks/results/parts.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.evaluation.subject import Subject, open_subject, same_picture, sample
from nitari.images.geometry import ENOUGH, verify
from nitari.steps.holdout import training_mask
from nitari.steps.pictures import Pictures

RESULTS = Path(__file__).parent / "results" / "parts.json"
QUERIES, VERIFIED, CANDIDATES = 100, 25, 10
SPACES = "visual_words,hog,pixels"


def main() -> None:
    name, root, spaces = [*sys.argv[1:], *["clothing", ".bench", SPACES][len(sys.argv) - 1 :]]
    collection = Collection.existing(root, name)
    catalog = Catalog(collection.latest("catalog"))
    pictures = Pictures(collection, catalog)
    subjects = [open_subject(collection, catalog, collection.latest("embeddings", s)) for s in spaces.split(",")]
    rows = sample(np.flatnonzero(~training_mask(catalog)), QUERIES, 0)
    queries = made(pictures, rows)
    runs = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    runs[name] = {"pictures": catalog.n_ready, "queries": len(rows)}
    for subject in subjects:
        runs[name][subject.name] = {
            kind: measured(catalog, pictures, subject, rows, asked) for kind, asked in queries.items()
        }
        print(name, subject.name, json.dumps(runs[name][subject.name]), flush=True)
    RESULTS.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def made(pictures: Pictures, rows: np.ndarray) -> dict[str, list[np.ndarray]]:
    random = np.random.default_rng(0)
    originals = [pictures.original(int(row)) for row in rows]
    others = np.roll(np.arange(len(rows)), 1)
    return {
        "part": [part(original, random) for original in originals],
        "pasted": [pasted(originals[i], originals[j], random) for i, j in enumerate(others)],
    }


def part(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """30-60% of the area, of the same aspect, anywhere."""
    (top, left), (h, w) = _frame(image.shape[0], image.shape[1], random)
    return image[top : top + h, left : left + w].copy()


def pasted(image: np.ndarray, background: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``image`` shrunk to 30-60% of its area, anywhere on the other picture stretched to its size."""
    height, width = image.shape[:2]
    (top, left), (h, w) = _frame(height, width, random)
    canvas = np.array(Image.fromarray(background).resize((width, height), Image.Resampling.BICUBIC))
    canvas[top : top + h, left : left + w] = np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BOX))
    return canvas


def _frame(height: int, width: int, random: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int]]:
    side = random.uniform(0.3, 0.6) ** 0.5
    h, w = max(1, round(height * side)), max(1, round(width * side))
    return (int(random.integers(height - h + 1)), int(random.integers(width - w + 1))), (h, w)


def measured(
    catalog: Catalog, pictures: Pictures, subject: Subject, rows: np.ndarray, queries: list[np.ndarray]
) -> dict[str, float]:
    """``recall_at_1`` and ``_10``, an exact duplicate counting as the original; for the first queries also ``verified``."""
    small = [pictures.thumbnail_of(query, subject.extractor.side) for query in queries]
    vectors = subject.space.check(subject.extractor.extract(small))
    distances = subject.space.distances(vectors, subject.space.check(subject.vectors))
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :CANDIDATES]
    groups = same_picture(catalog)
    right = groups[nearest] == groups[rows][:, None]
    first, seconds, enough = [], 0.0, 0
    for query, candidates, correct in list(zip(queries, nearest, right, strict=True))[:VERIFIED]:
        originals = [pictures.original(int(row)) for row in candidates]
        start = time.process_time()
        inliers = np.array([verify(query, original).inliers for original in originals])
        seconds += time.process_time() - start
        first.append(correct[inliers.argmax()])
        enough += int((inliers[~correct] >= ENOUGH).sum())
    return {
        "recall_at_1": float(right[:, 0].mean()),
        "recall_at_10": float(right.any(axis=1).mean()),
        f"recall_at_1 of the first {VERIFIED}": float(right[:VERIFIED, 0].mean()),
        "verified": float(np.mean(first)),
        "others with enough inliers": enough,
        "ms a verification": round(1e3 * seconds / (len(first) * CANDIDATES), 1),
    }


if __name__ == "__main__":
    main()
