"""OCR: what reading costs, what is read, and what the first look in few pixels spares and misses.

    .venv/bin/python -m benchmarks.ocr [PICTURES]

PICTURES (16) of each kind: packages and fruit of ../shared/data/grocery, which are 256 pixels wide, and fruit enlarged to
960 with lines written on it: 14, 24 and 40 pixels high, in English and, where the system has the font Noto Serif CJK,
Japanese; or one of 14 pixels alone. Everything is read once; then each `look` says which pictures it would have passed on. `missed` are pictures
in which text was read and that would not have been. Times are of the processor. Needs the extra 'ocr'. Writes
benchmarks/results/ocr.json and .md.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.table import table
from nitari.annotator.ocr import OcrAnnotator
from nitari.text.words import needed, terms

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "grocery"
RESULTS = Path(__file__).parent / "results"
LINES = {14: "Golden Harvest oatmeal", 24: "LOW FAT MILK 500ml", 40: "Fresh orange juice"}
JAPANESE = {14: "東京都港区", 24: "低脂肪牛乳", 40: "赤い靴"}


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    fruit, lines = photos("Fruit", n), LINES if cjk() is None else LINES | {h + 1: t for h, t in JAPANESE.items()}
    kinds = {"packages": photos("Packages", n), "fruit": fruit, "written on": [write_on(p, lines) for p in fruit]}
    kinds["one small line"] = [write_on(p, {14: LINES[14]}) for p in fruit]
    reader = OcrAnnotator(look=960)  # reads everything
    reader.annotate(kinds["written on"][:1])
    reading, looking = [], []
    for kind, pictures in kinds.items():
        start = time.process_time()
        found = reader.annotate(pictures).column("text").to_pylist()
        seconds = (time.process_time() - start) / len(pictures)
        read = np.array([bool(text) for text in found])
        row = {"pictures": kind, "seconds": round(seconds, 2), "with_text": round(float(read.mean()), 2)}
        reading.append(row | {"characters": round(float(np.mean([len(text) for text in found])), 1)})
        if kind == "written on":
            lines_read = line_recall(found, lines)
        for look in (128, 160, 192, 224) if len(pictures[0]) == 256 else (160, 224, 320, 480, 640):
            reader.look = look
            start = time.process_time()
            passed = np.array([reader._looks_written(picture) for picture in pictures])
            seconds = (time.process_time() - start) / len(pictures)
            looking.append(
                {
                    "pictures": kind,
                    "look": look,
                    "seconds": round(seconds, 3),
                    "passed": round(float(passed.mean()), 2),
                    "missed": f"{int((read & ~passed).sum())} of {int(read.sum())}",
                    "characters_missed": round(
                        sum(len(t) for t, p in zip(found, passed, strict=True) if not p) / max(sum(map(len, found)), 1),
                        3,
                    ),
                }
            )
        reader.look = 960
    report({"pictures": n, "read at 960": reading, "first look": looking, "lines read": lines_read})


def photos(folder: str, n: int) -> list[np.ndarray]:
    files = sorted((DATA / "train" / folder).rglob("*.jpg"))
    chosen = np.random.default_rng(0).choice(len(files), n, replace=False)
    return [np.asarray(Image.open(files[i]).convert("RGB")) for i in chosen]


def cjk() -> str | None:
    try:
        ImageFont.truetype("NotoSerifCJK-Bold.ttc", 12)
    except OSError:
        return None
    return "NotoSerifCJK-Bold.ttc"


def write_on(photo: np.ndarray, lines: dict[int, str]) -> np.ndarray:
    picture = Image.fromarray(photo).resize((960, 960), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for i, (height, text) in enumerate(lines.items()):
        font = ImageFont.load_default(height) if text.isascii() else ImageFont.truetype(cjk(), height)
        draw.text((60 + 90 * (i % 3), 80 + 140 * i), text, "white", font, stroke_width=1, stroke_fill="black")
    return np.asarray(picture)


def line_recall(found: list[str], lines: dict[int, str]) -> list[dict[str, Any]]:
    """The share of pictures in which a line's words would be found by a text index."""
    rows = []
    for height, text in lines.items():
        asked = {term for word in text.split() for term in needed(word)}
        shares = [len(asked & set(terms(said))) / len(asked) for said in found]
        rows.append({"line": text, "height": height, "terms_read": round(float(np.mean(shares)), 3)})
    return rows


def report(results: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ocr.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["# OCR", "", f"{results['pictures']} pictures of each kind; seconds of the processor a picture.", ""]
    for name in ("read at 960", "first look", "lines read"):
        rows = results[name]
        lines += [f"## {name}", "", *table(rows), ""]
    (RESULTS / "ocr.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
