"""Text search: the index of nitari.text beside tantivy, over short documents in Japanese and English.

    .venv/bin/python -m benchmarks.text [DOCUMENTS ...]

Documents (100,000 and 1,000,000 unless told) are drawn from the words of Unicode's character names and from Japanese
words, some within others (京都 in 東京都), run together as file names and captions run them. What is relevant is known from
how they were made: `recall` is the share of relevant documents found with no limit on k, `precision` the share of what is
found that is relevant. Times are of the processor, which a busy machine changes less than the clock; searches are for the 20 best. Needs the extra 'text' for
tantivy. Writes benchmarks/results/text.json and .md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import table
from nitari.filters import Selection
from nitari.text.build import write
from nitari.text.index import TextIndex
from nitari.text.words import needed, terms, words

RESULTS = Path(__file__).parent / "results"
K = 20
QUERIES = 60  # of a kind
_JAPANESE = (
    "東京 京都 東京都 大阪 北海道 長崎 崎 靴 長靴 革靴 運動靴 靴下 赤 赤色 青 青色 白 黒 緑 黄色 花 花火 桜 山 山手 川 川口 海 海岸 空 "
    "空港 雪 雨 風 風車 猫 犬 子犬 鳥 小鳥 魚 金魚 牛 牛乳 馬 羊 卵 米 米国 茶 緑茶 紅茶 酒 日本酒 日本 本 本棚 新聞 雑誌 電車 自転車 "
    "自動車 車 飛行機 船 駅 道 橋 家 家具 机 椅子 窓 扉 鞄 財布 帽子 眼鏡 時計 腕時計 指輪 服 和服 着物 水着 水 水筒 食器 皿 箸 鍋 包丁 "
    "写真 写真機 絵 絵本 音楽 楽器 太鼓 人 人形 子供 女性 男性 家族 学校 大学 病院 会社 祭 寺 神社 城 公園 庭 森 林檎 りんご みかん "
    "ぶどう いちご すいか なす きゅうり たまねぎ おにぎり うどん そば すし てんぷら カメラ シャツ スカート ズボン コート セーター バッグ "
    "ブーツ スニーカー サンダル ドレス ネクタイ マフラー トマト レモン メロン バナナ パン ケーキ チョコレート コーヒー ビール ワイン チーズ"
)
JAPANESE = _JAPANESE.split()


class Corpus:
    """``texts``, and the words of each: ``held`` maps a word to its documents, ascending."""

    def __init__(self, n: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.english = english()
        lexicon = [*self.english, *JAPANESE]
        rank = np.concatenate([random.permutation(len(self.english)), random.permutation(len(JAPANESE))]) + 3.0
        share = 1 / rank
        share[len(self.english) :] *= share[: len(self.english)].sum() / share[len(self.english) :].sum()
        drawn = random.choice(len(lexicon), (n, 6), p=share / share.sum())
        sizes = random.integers(1, 7, n)
        drawn[np.arange(6) >= sizes[:, None]] = -1
        joints = random.choice(["", "の", " ", "_", "と"], (n, 6))
        numbers = random.integers(0, 10 * n, n)
        self.texts = [
            caption([lexicon[i] for i in row if i >= 0], joint) + f" IMG_{number}.jpg"
            for row, joint, number in zip(drawn.tolist(), joints.tolist(), numbers.tolist(), strict=True)
        ]
        flat, rows = drawn.ravel(), np.repeat(np.arange(n), 6)
        order = np.lexsort((rows, flat))
        flat, rows = flat[order], rows[order]
        edges = np.searchsorted(flat, np.arange(len(lexicon) + 1))
        self.held = {word: np.unique(rows[edges[i] : edges[i + 1]]) for i, word in enumerate(lexicon)}
        self.random = random

    def queries(self) -> dict[str, list[tuple[str, np.ndarray]]]:
        """(text, relevant documents) by kind."""
        japanese = sorted((word for word in JAPANESE if len(self.held[word])), key=lambda word: -len(self.held[word]))
        latin = [word for word in self.english if len(self.held[word]) > 1]
        latin = [latin[i] for i in self.random.choice(len(latin), min(len(latin), 3 * QUERIES), replace=False)]
        long = [word for word in latin if len(word) >= 6]
        pairs = [(a, b) for a in japanese[:12] for b in sorted(latin, key=lambda w: -len(self.held[w]))[:12]]
        kinds = {
            "Japanese, 1 character": [(w, self.held[w]) for w in japanese if len(w) == 1],
            "Japanese, 2 characters": [(w, self.held[w]) for w in japanese if len(w) == 2],
            "Japanese, 3 and more": [(w, self.held[w]) for w in japanese if len(w) > 2],
            "English": [(w, self.held[w]) for w in latin],
            "English, plural": [(w + "s", self.held[w]) for w in latin if w[-1] not in "sxyhz"],
            "English, all but 2 letters": [(w[:-2], self.held[w]) for w in long],
            "English, a letter wrong": [(self.misspelt(w), self.held[w]) for w in long],
            "two words, both": [(f"{a} {b}", np.intersect1d(self.held[a], self.held[b])) for a, b in pairs],
        }
        return {kind: found[:QUERIES] for kind, found in kinds.items()}

    def misspelt(self, word: str) -> str:
        at, how = self.random.integers(1, len(word) - 1), self.random.integers(4)
        letter = chr(97 + int(self.random.integers(26)))
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return (
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            swapped,
        )[how]


def english() -> list[str]:
    """The longer words of Unicode's names of symbols and pictures, lower case."""
    names = (unicodedata.name(chr(i), "") for i in (*range(0x2000, 0x2C00), *range(0x1F000, 0x1FB00)))
    return sorted({w.lower() for name in names for w in name.split() if w.isalpha() and len(w) > 2})


def caption(parts: Sequence[str], joints: Sequence[str]) -> str:
    text = ""
    for part, joint in zip(parts, joints, strict=False):
        plain = part.isascii()
        text += (joint if not plain and text and not text[-1].isascii() else " " if text else "") + part
    return text


class Ours:
    name = "nitari.text"

    def build(self, texts: Iterable[str], folder: Path) -> None:
        write(folder, texts)
        self.index = TextIndex(folder)

    def search(self, text: str, k: int, rows: np.ndarray | None = None) -> np.ndarray:
        return self.index.search(text, k, where=None if rows is None else Selection(None, rows)).rows


class Tantivy:
    """One segment, so that a document's number is its row. A word is all of its terms; any word will do."""

    def __init__(
        self, name: str, analyzer: Any, prepare: Callable[[str], str], tokens: Callable[[str], list[str]]
    ) -> None:
        self.name, self._analyzer, self._prepare, self._tokens = name, analyzer, prepare, tokens

    def build(self, texts: Sequence[str], folder: Path) -> None:
        import tantivy

        self.n = len(texts)
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("text", stored=False, tokenizer_name="chosen", index_option="freq")
        schema.add_unsigned_field("row", indexed=True, fast=True)
        index = tantivy.Index(schema.build(), str(folder))
        index.register_tokenizer("chosen", self._analyzer)
        writer = index.writer(heap_size=1_000_000_000, num_threads=1)
        for row, text in enumerate(texts):
            document = tantivy.Document(text=self._prepare(text))
            document.add_unsigned("row", row)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.index, self.searcher = index, index.searcher()

    def search(self, text: str, k: int, rows: np.ndarray | None = None) -> np.ndarray:
        from tantivy import Occur, Query

        schema = self.index.schema
        asked = []
        for word in words(text):
            both = [(Occur.Must, Query.term_query(schema, "text", token, "freq")) for token in self._tokens(word)]
            asked.append((Occur.Should, Query.boolean_query(both)))
        query = Query.boolean_query(asked)
        if rows is not None:
            admitted = Query.const_score_query(Query.term_set_query(schema, "row", rows.tolist()), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, admitted)])
        hits = [address for _, address in self.searcher.search(query, min(k, self.n), count=False).hits]
        return np.array(self.searcher.fast_field_values("row", hits), np.int64)


def engines() -> list[Any]:
    try:
        from tantivy import Filter, TextAnalyzerBuilder, Tokenizer
    except ImportError:
        return [Ours()]

    def fold(text: str) -> str:
        return unicodedata.normalize("NFKC", text).casefold()

    def pairs(word: str) -> list[str]:
        return [fold(word)[i : i + 2] for i in range(len(fold(word)) - 1)] or [fold(word)]

    ngram = TextAnalyzerBuilder(Tokenizer.ngram(min_gram=1, max_gram=2, prefix_only=False)).build()
    simple = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase()).build()
    blank = TextAnalyzerBuilder(Tokenizer.whitespace()).build()
    return [
        Ours(),
        Tantivy("tantivy, terms of nitari", blank, lambda text: " ".join(terms(text)), lambda word: list(needed(word))),
        Tantivy("tantivy, ngram(1, 2)", ngram, fold, pairs),
        Tantivy("tantivy, simple", simple, fold, lambda word: [fold(word)]),
    ]


def measure(n: int) -> dict[str, list[dict[str, Any]]]:
    corpus = Corpus(n)
    queries = corpus.queries()
    selections = {f"{share:g} of the rows": np.flatnonzero(corpus.random.random(n) < share) for share in (0.1, 0.01)}
    built, asked, filtered = [], [], []
    for engine in engines():
        with tempfile.TemporaryDirectory() as folder:
            seconds, _ = timed(lambda e=engine, f=folder: e.build(corpus.texts, Path(f)))  # type: ignore[misc]
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
            built.append({"engine": engine.name, "seconds": round(seconds, 1), "mb": round(size / 1e6, 1)})
            for kind, entries in queries.items():
                asked.append({"queries": kind, "engine": engine.name, **quality(engine, entries, n, "both" in kind)})
            for name, rows in selections.items():
                both = [text for text, _ in queries["two words, both"]]
                times = [timed(lambda t=t, e=engine, r=rows: e.search(t, K, r))[0] for t in both[:30]]  # type: ignore[misc]
                filtered.append({"selection": name, "engine": engine.name, **latency(times)})
    return {
        "build": built,
        "search": sorted(asked, key=lambda row: list(queries).index(row["queries"])),
        "filtered": filtered,
    }


def quality(engine: Any, entries: list[tuple[str, np.ndarray]], n: int, all_words: bool) -> dict[str, Any]:
    """Of queries for two words the best results are judged: as many as there are with both, at most ``K``."""
    recall, precision, times = [], [], []
    for text, relevant in entries:
        times.append(min(timed(lambda t=text: engine.search(t, K))[0] for _ in range(3)))  # type: ignore[misc]
        if not len(relevant):
            continue
        found = engine.search(text, min(K, len(relevant)) if all_words else n)
        right = np.isin(found, relevant).sum()
        recall.append(right / (min(K, len(relevant)) if all_words else len(relevant)))
        precision.append(right / len(found) if len(found) else 0.0)
    return {
        "asked": len(entries),
        "recall": round(float(np.mean(recall)), 4),
        "precision": round(float(np.mean(precision)), 4),
        **latency(times),
    }


def latency(times: list[float]) -> dict[str, float]:
    return {f"p{p}_ms": round(float(np.percentile(times, p)) * 1000, 3) for p in (50, 99)}


def imports() -> list[dict[str, Any]]:
    """Milliseconds that importing adds to Python with numpy; the median of five processes each."""
    found = []
    for module in ("numpy", "nitari.text.index", "tantivy"):
        program = f"import numpy, time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True) for _ in range(5)]
        seconds = [float(run.stdout) for run in runs if run.returncode == 0]
        found.append({"module": module, "ms": round(float(np.median(seconds)) * 1000, 1) if seconds else None})
    return found


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def report(results: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "text.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["# Text search beside tantivy", ""]
    for n, tables in results["documents"].items():
        for name, rows in tables.items():
            lines += [f"## {int(n):,} documents: {name}", "", *table(rows), ""]
    lines += ["## import", "", *table(results["import"])]
    (RESULTS / "text.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or [100_000, 1_000_000]
    report({"documents": {str(n): measure(n) for n in sizes}, "import": imports()})


if __name__ == "__main__":
    main()
