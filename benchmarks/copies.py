"""Who copied what: verdicts of ``nitari infringe`` on distorted copies and on pictures that are not in the collection.

    .venv/bin/python -m benchmarks.copies [originals=40] [others=150] [sets=clothing,grocery] [encoders=FOLDER]

Originals are the training parts of ../shared/data/clothing and grocery; foreign pictures are copies of some of them in
every way of ``KINDS``, saved as JPEG, and the held-out parts, which are in neither collection. FOLDER/<set>/encoders may
hold trained encoders: the newest is compared too. Where ``imagededup`` can be imported its PHash is measured beside.
Writes .bench/copies.json, all that was told, and benchmarks/results/copies.md.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from nitari import conf
from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.embeddings import Embeddings
from nitari.extractor import create
from nitari.extractor.encoder import EncoderExtractor
from nitari.images.decode import decode
from nitari.images.distortions import DISTORTIONS, distort
from nitari.images.geometry import ENOUGH
from nitari.index.exact import Exact
from nitari.recommend.verdict import MEASURED
from nitari.source.folder import FolderSource
from nitari.steps.build import build
from nitari.steps.extract import extract
from nitari.steps.infringe import infringe
from nitari.steps.ingest import ingest
from nitari.steps.matching import Matcher, Searched
from nitari.steps.picture_encoder import PictureEncoder
from nitari.train.extract import make

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HELD_OUT = {"clothing": "validation", "grocery": "val"}
FIXED = ("pdq", "phash", "signature", "hog", "pixels")
FOREIGN_K = 20
PRECISION = 0.99
NONE = "none"

Change = Callable[[np.ndarray, str], np.ndarray]


def several(names: tuple[str, ...], image: np.ndarray, key: str) -> np.ndarray:
    for name in names:
        image = distort(image, name, key)
    return image


def part(share: float, image: np.ndarray, key: str) -> np.ndarray:
    """A cut-out of a share of the area, of the same aspect."""
    random = np.random.default_rng(int(key[:8], 16))
    height, width = image.shape[:2]
    h, w = int(height * share**0.5), int(width * share**0.5)
    top, left = int(random.integers(height - h + 1)), int(random.integers(width - w + 1))
    return image[top : top + h, left : left + w]


def letterbox(image: np.ndarray, key: str) -> np.ndarray:
    """Black bars, a quarter of the longer frame on either side."""
    height, width = image.shape[:2]
    frame = np.zeros((height, 2 * width, 3) if height >= width else (2 * height, width, 3), np.uint8)
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    frame[top : top + height, left : left + width] = image
    return frame


def tiny(image: np.ndarray, key: str) -> np.ndarray:
    """96 pixels the longer side."""
    picture = Image.fromarray(image)
    picture.thumbnail((96, 96))
    return np.asarray(picture)


KINDS: dict[str, Change] = {
    "re-encoded": lambda image, key: image,
    **{name: partial(several, (name,)) for name in DISTORTIONS},
    "96 px": tiny,
    "scale + jpeg + brightness": partial(several, ("scale", "jpeg", "brightness")),
    "crop + jpeg": partial(several, ("crop", "jpeg")),
    "border + text": partial(several, ("border", "text")),
    "mirror + crop + contrast": partial(several, ("mirror", "crop", "contrast")),
    "letterbox": letterbox,
    "a quarter turn": lambda image, key: np.rot90(image),
    "half of it": partial(part, 0.5),
    "30% of it": partial(part, 0.3),
}


def main() -> None:
    asked = {"originals": "40", "others": "150", "sets": ",".join(HELD_OUT), "encoders": ""}
    asked |= dict(word.split("=", 1) for word in sys.argv[1:])
    file = RESULTS.parents[1] / ".bench" / "copies.json"
    file.parent.mkdir(exist_ok=True)
    for name in asked["sets"].split(","):
        with tempfile.TemporaryDirectory() as folder:
            encoders = Path(asked["encoders"]) / name / "encoders" if asked["encoders"] else None
            found = measure(name, Path(folder), int(asked["originals"]), int(asked["others"]), encoders)
        results = (json.loads(file.read_text()) if file.exists() else {}) | {name: found}
        file.write_text(json.dumps(results) + "\n", encoding="utf-8")
        (RESULTS / "copies.md").write_text(report(results), encoding="utf-8")
    print(report(results))


def measure(name: str, folder: Path, originals: int, others: int, encoders: Path | None) -> dict[str, Any]:
    collection = Collection(folder, name)
    source = FolderSource(str(DATA / name / "train"))
    ingest(collection, source.listing(), source_name=source.name)
    spaces = extracted(collection, encoders)
    release = build(collection, {"_target_": "nitari.index.exact.Exact"})
    encoder = PictureEncoder(collection, release)
    catalog = encoder.pictures.catalog
    random = np.random.default_rng(0)
    chosen = np.sort(random.choice(catalog.n_ready, originals, replace=False))
    foreign = folder / "foreign"
    write(encoder, chosen, foreign)
    held = sorted((DATA / name / HELD_OUT[name]).rglob("*.jpg"))
    (foreign / NONE).mkdir()
    for at in random.choice(len(held), min(others, len(held)), replace=False):
        shutil.copy(held[at], foreign / NONE / f"{at:05d}.jpg")
    rows, seconds = told(collection, release, encoder, spaces, foreign, folder / "work")
    print(f"{name}: {len(rows)} foreign pictures in {seconds:.0f} s", flush=True)
    peer = imagededup(encoder, catalog, foreign)
    return {
        "originals": catalog.n_ready,
        "seconds": seconds,
        "rows": rows,
        "imagededup": peer,
    }


def extracted(collection: Collection, encoders: Path | None) -> list[str]:
    chosen = []
    for space in FIXED:
        spec = yaml.safe_load((Path(conf.__file__).parent / "extractor" / f"{space}.yaml").read_text())
        extract(collection, create(spec), postprocess=spec.get("postprocess"))
        chosen.append(space)
    if find_spec("cv2"):
        spec = yaml.safe_load((Path(conf.__file__).parent / "extractor" / "visual_words.yaml").read_text())
        extract(collection, make(collection, spec))
        chosen.append("visual_words")
    if encoders is not None:
        newest = sorted(encoders.iterdir())[-1]
        shutil.copytree(newest, collection.folder("encoder") / newest.name)
        extract(collection, EncoderExtractor(collection.folder("encoder") / newest.name, follow=True))
        chosen.append("encoder")
    return chosen


def write(encoder: PictureEncoder, rows: np.ndarray, folder: Path) -> None:
    """``<kind>/<item_id>.jpg``: every kind of copy of every original."""
    pictures = encoder.pictures
    for row, record in zip(rows, pictures.catalog.records(rows, ["item_id", "sha256"]), strict=True):
        image = pictures.original(int(row))
        for kind, change in KINDS.items():
            (folder / kind).mkdir(parents=True, exist_ok=True)
            copy = Image.fromarray(np.ascontiguousarray(change(image, record["sha256"])))
            copy.save(folder / kind / f"{record['item_id']}.jpg", quality=90)


def told(
    collection: Collection,
    release: Artifact,
    encoder: PictureEncoder,
    spaces: list[str],
    foreign: Path,
    work: Path,
) -> tuple[list[dict[str, Any]], float]:
    """Per foreign picture: kind, truth, and every original told, with its distances and inliers."""
    searched = {}
    for space in spaces:
        embeddings = Embeddings(collection.parent(release, f"embeddings:{space}", space))
        index = Exact(embeddings.space)
        index.build(embeddings.vectors)
        limit = MEASURED.get(embeddings.extractor["_target_"])
        searched[space] = Searched(embeddings.space, embeddings.vectors, index, encoder.extractor(space), limit)
    matcher = Matcher(encoder.pictures, searched, k=FOREIGN_K, checks=3 if find_spec("cv2") else 0)
    start = time.monotonic()
    found = infringe(matcher, release, FolderSource(str(foreign), "foreign"), work)
    seconds = time.monotonic() - start
    pictures: dict[str, dict[str, Any]] = {}
    for table in found.tables():
        for row in table.to_pylist():
            kind, file = row["query"].split("/")
            one = pictures.setdefault(row["query"], {"kind": kind, "truth": file.removesuffix(".jpg"), "told": []})
            kept = {space: row[f"distance_{space}"] for space in spaces if searched[space].limit}
            one["told"].append([row["item_id"], row["verdict"], row["evidence"], row["view"], row["inliers"], kept])
    return list(pictures.values()), seconds


def imagededup(encoder: PictureEncoder, catalog: Catalog, foreign: Path) -> list[tuple[str, bool, int]] | None:
    """(kind, whether the nearest is the original, distance) of each foreign picture by its PHash."""
    try:
        from imagededup.methods import PHash
    except ImportError:
        return None
    method = PHash(verbose=False)

    def code(image: np.ndarray) -> np.ndarray:
        return np.frombuffer(bytes.fromhex(method.encode_image(image_array=image)), np.uint8)

    codes = np.stack([code(encoder.pictures.original(row)) for row in range(catalog.n_ready)])
    ids = catalog.item_ids[: catalog.n_ready].astype(str)
    found = []
    for path in sorted(foreign.rglob("*.jpg")):
        apart = np.bitwise_count(codes ^ code(decode(path.read_bytes()).pixels)).sum(axis=1)
        found.append((path.parent.name, bool(ids[apart.argmin()] == path.stem), int(apart.min())))
    return found


def report(found: dict[str, Any]) -> str:
    lines = ["# Copies", "", __doc__.split("\n\n")[2].replace("\n", " "), ""]
    for name, result in found.items():
        lines += [f"## {name}", "", *_verdicts(result), "", *_thresholds(result), ""]
    lines += ["`.venv/bin/python -m benchmarks.copies`", ""]
    return "\n".join(lines)


def _verdicts(result: dict[str, Any]) -> list[str]:
    """By kind: shares of copies whose first original is the right one, and called so."""
    rows = result["rows"]
    kinds = list(KINDS)
    peer = result["imagededup"]
    lines = [
        f"{len(rows):,} foreign pictures against {result['originals']:,} originals. Percent of copies whose original comes "
        "first, by verdict (with spaces alone; with alignment too; at least likely)"
        + (", and imagededup's PHash within its 10 bits." if peer else "."),
        "",
        "| copy | copy, spaces alone | copy | copy or likely | first at all |" + (" imagededup |" if peer else ""),
        "|---|---|---|---|---|" + ("---|" if peer else ""),
    ]
    sure = {"right": 0, "all": 0}
    for kind in [*kinds, NONE]:
        mine = [row for row in rows if row["kind"] == kind]
        first = [row["told"][0] for row in mine]
        right = [f[0] == row["truth"] for f, row in zip(first, mine, strict=True)]
        called = [f[1] in ("exact", "copy") for f in first]
        sure["right"] += sum(r and c for r, c in zip(right, called, strict=True))
        sure["all"] += sum(called)
        shares = [
            sum(
                f[1] in ("exact", "copy") and f[2] != "alignment" and (r or kind == NONE)
                for f, r in zip(first, right, strict=True)
            ),
            sum(c and (r or kind == NONE) for c, r in zip(called, right, strict=True)),
            sum(f[1] != "no" and (r or kind == NONE) for f, r in zip(first, right, strict=True)),
            sum(right),
        ]
        cells = [f"{100 * share / max(1, len(mine)):.1f}" for share in shares]
        if kind == NONE:
            cells[3] = ""
        if peer:
            of = [(ok, apart) for k, ok, apart in peer if k == kind]
            hits = sum(apart <= 10 and (ok or kind == NONE) for ok, apart in of)
            cells.append(f"{100 * hits / max(1, len(of)):.1f}")
        label = f"*other pictures ({len(mine)})*" if kind == NONE else kind
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    precision = sure["right"] / max(1, sure["all"])
    lines += [
        "",
        f"Precision of exact and copy: {100 * precision:.2f}% of {sure['all']:,}. {result['seconds']:.0f} s in all.",
    ]
    return lines


def _thresholds(result: dict[str, Any]) -> list[str]:
    """Each space alone: the largest threshold whose nearest originals are right in 99% of cases, others included."""
    rows = result["rows"]
    lines = [
        "Each space alone, the nearest original: thresholds and the percent of copies found within them; the distance that "
        "the nearest 1 in 100 of other pictures have, and the nearest of all.",
        "",
        f"| space | at precision {PRECISION} | finds | others: 1 in 100 | others: least | copies: median | inliers of others, most |",
        "|---|---|---|---|---|---|---|",
    ]
    inliers = [t[4] for row in rows if row["kind"] == NONE for t in row["told"] if t[4] is not None]
    for space in rows[0]["told"][0][5]:
        nearest = [min(row["told"], key=lambda t, s=space: t[5][s]) for row in rows]
        apart = np.array([t[5][space] for t in nearest])
        copies = np.array([row["kind"] != NONE for row in rows])
        right = np.array([t[0] == row["truth"] for t, row in zip(nearest, rows, strict=True)])
        order = np.argsort(apart, kind="stable")
        precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        last = np.flatnonzero(precise >= PRECISION)
        limit = float(apart[order[last[-1]]]) if len(last) else 0.0
        finds = (right & (apart <= limit)).sum() / copies.sum()
        none = apart[~copies]
        values = (limit, 100 * finds, np.quantile(none, 0.01), none.min(), np.median(apart[copies]))
        cells = [f"{value:.3g}" for value in values]
        lines.append(f"| {space} | " + " | ".join(cells) + f" | {max(inliers, default=0)} (of {ENOUGH}) |")
    return lines


if __name__ == "__main__":
    main()
