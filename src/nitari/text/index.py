"""Rows by words: BM25 over an inverted file.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the inverse document
frequency of Lucene, which is never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import numpy as np

from nitari.artifact import Artifact
from nitari.errors import QueryError
from nitari.filters import Selection
from nitari.text.build import write
from nitari.text.vocabulary import Vocabulary
from nitari.text.words import is_spaceless, needed, parts, words

_K1, _B = 1.2, 0.75
_LONGEST = 1000  # characters of a query
_COMPLETIONS = 64  # of a word that was not written to its end
_TELLING = 24  # terms of liked items that are looked for
_SPARSE = 8  # with fewer postings than one in so many rows, sorting them costs less than a number for each row


class TextResult(NamedTuple):
    """``rows`` (m,) int64 and ``scores`` (m,) float64, descending and above 0; equal scores by row. m is min(k, matches)."""

    rows: np.ndarray
    scores: np.ndarray


class Clause(NamedTuple):
    """One word that is looked for: the rows that hold it, ascending, how often they do, and how much it counts."""

    rows: np.ndarray
    counts: np.ndarray
    weight: float


@dataclass(frozen=True)
class Query:
    """Words that were looked up. An item's score is its BM25 times the share of ``total``, the words' weights, that it has:
    so one with all words comes before one with a rare word alone. ``most`` is the score of an item that is what was asked.
    """

    clauses: tuple[Clause, ...]
    total: float
    most: float


class TextIndex:
    """Searches texts, one a row. What is typed is words and nothing else: no character means anything special.

    A word that nothing holds is looked for by its parts, then as the beginning of a word, then misspelt by one letter.
    Thread-safe: nothing changes after the files are mapped.
    """

    def __init__(self, path: Path, *, mapped: bool = True) -> None:
        def read(*names: str) -> Iterator[np.ndarray]:
            for name in names:
                yield np.asarray(np.load(path / f"{name}.npy", mmap_mode="r" if mapped else None, allow_pickle=False))

        self._terms = Vocabulary(*read("letters", "letter_starts", "signatures"))
        self._starts, self._rows, self._counts, self._lengths, self._own_starts, self._own = read(
            "starts", "rows", "counts", "lengths", "own_starts", "own"
        )
        self._mean = max(float(self._lengths.mean()), 1.0) if len(self) else 1.0

    @classmethod
    def open(cls, artifact: Artifact) -> Self:
        """A published index. DamagedArtifactError before any damaged byte is used."""
        artifact.verify()
        return cls(artifact.path)

    @classmethod
    def beside(cls, other: TextIndex, texts: Iterable[str | None]) -> Self:
        """An index of a few more texts, in memory: they are as long or short as they would be among those of ``other``."""
        with TemporaryDirectory() as folder:
            write(Path(folder), texts)
            found = cls(Path(folder), mapped=False)
        found._mean = other._mean
        return found

    def __len__(self) -> int:
        return len(self._lengths)

    def search(self, query: str | Query, k: int, *, where: Selection | None = None) -> TextResult:
        """The k best of the rows that ``where`` admits. QueryError on a bad k or selection, and on text without words."""
        if k < 1:
            raise QueryError(f"k is {k}. Ask for at least 1 result")
        admitted = None
        if where is not None:
            admitted = np.zeros(len(self), bool)
            admitted[self._check(where.rows)] = True
        rows, scores = self._sum(self._asked(query), admitted)
        if len(rows) > k:
            best = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
            rows, scores = rows[best], scores[best]
        order = np.lexsort((rows, -scores))[:k]
        return TextResult(rows[order].astype(np.int64), scores[order])

    def like(
        self, rows: Sequence[int], k: int, *, weights: Sequence[float] | None = None, where: Selection | None = None
    ) -> TextResult:
        """The k rows whose words are most like those of ``rows``, which are among them."""
        return self.search(self.ask_like(rows, weights), k, where=where)

    def scores(self, query: str | Query, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(m,) float64: what ``search`` gives these rows, 0 for those that hold nothing of it."""
        rows = self._check(rows)
        query = self._asked(query)
        if not query.clauses:
            return np.zeros(len(rows))
        gained, covered = np.zeros((2, len(rows)))
        for clause in query.clauses:
            at = np.minimum(np.searchsorted(clause.rows, rows), len(clause.rows) - 1)
            held = clause.rows[at] == rows
            gained += np.where(held, clause.weight * self._saturation(rows, clause.counts[at]), 0)
            covered += np.where(held, clause.weight, 0)
        return gained * (covered / query.total)

    def similarity(self, query: str | Query, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(m,) float64 scores from 0 to 1, which are an item's that is just what was asked: comparable between queries."""
        query = self._asked(query)
        return np.minimum(self.scores(query, rows) / query.most, 1) if query.most else np.zeros(len(rows))

    def ask(self, text: str, beside: TextIndex | None = None) -> Query:
        """What is looked for when somebody types ``text``. A word that nothing is like counts in ``total`` alone.

        ``beside`` holds further rows, which are asked the same: a word counts on either side what it counts among all of
        them, and nothing else is taken for it where the other side has it.
        """
        if len(text) > _LONGEST:
            raise QueryError(f"The text to search for has {len(text):,} characters. Give at most {_LONGEST:,}")
        found = list(dict.fromkeys(words(text)))
        if not found:
            raise QueryError(f"The text '{text}' has no word in it. Give some letters or digits")
        clauses, missing = [], 0.0
        for word in found:
            like_it = self._look_up(word, beside)
            clauses += like_it
            missing += 0.0 if like_it else self.idf(_count(beside, needed(word)), beside)
        total = sum(clause.weight for clause in clauses) + missing
        return Query(tuple(clauses), total, total)

    def ask_like(self, rows: Sequence[int] | np.ndarray, weights: Sequence[float] | np.ndarray | None = None) -> Query:
        """The most telling words of items: those that few others hold, and some do."""
        liked = self._check(rows)
        shares = np.ones(len(liked)) if weights is None else np.asarray(weights)
        query = self.ask_terms(telling(self, zip(map(self.terms_of, liked.tolist()), shares.tolist(), strict=True)))
        return replace(query, most=float(self.scores(query, liked).max(initial=0)))

    def ask_terms(self, weights: Mapping[str, float]) -> Query:
        """Terms by what each counts; those that nothing holds count in ``total`` alone. ``most`` is for the caller to say."""
        found = ((self._terms.find(term), weight) for term, weight in weights.items())
        clauses = tuple(Clause(*self._posted(term), weight) for term, weight in found if term is not None)
        return Query(clauses, sum(weights.values()), 0)

    def held(self, term: str) -> int:
        """How many rows a term is found by."""
        found = self._terms.find(term)
        return 0 if found is None else self._held(found)

    def terms_of(self, row: int) -> list[str]:
        """The terms that a row is found by, each once, in no order that matters."""
        return [self._terms[term] for term in self._own_terms(self._check([row])[0])]

    def idf(self, held: int, beside: TextIndex | None = None) -> float:
        """What a word counts that so many rows hold, of these and those ``beside``."""
        n = len(self) + (0 if beside is None else len(beside))
        return float(np.log1p((n - held + 0.5) / (held + 0.5)))

    def _asked(self, query: str | Query) -> Query:
        return self.ask(query) if isinstance(query, str) else query

    def _look_up(self, word: str, beside: TextIndex | None) -> list[Clause]:
        """A word as it is, or else its parts, or else what may have been meant; nothing where nothing is like it."""
        wanted = needed(word)
        there = _count(beside, wanted)
        if whole := self._together(wanted):
            return [whole._replace(weight=self.idf(len(whole.rows) + there, beside))]
        if there:
            return []
        pieces = parts(word)
        if len(pieces) > 1:
            return [clause for piece in pieces for clause in self._look_up(piece, beside)]
        if is_spaceless(word) and len(word) > 1:  # never all together: in pairs, or at least in characters
            pairs = [clause for pair in wanted if (clause := self._together([pair]))]
            return pairs or [clause for char in dict.fromkeys(word) if (clause := self._together(needed(char)))]
        meant: Sequence[int] = self._terms.beginning(wanted[0])
        if not meant and len(wanted[0]) > 3:
            meant = self._terms.near(wanted[0])
        return self._any(sorted(meant, key=lambda term: (-self._held(term), term))[:_COMPLETIONS])

    def _together(self, terms: Iterable[str]) -> Clause | None:
        """The rows that hold all ``terms``, and how often they hold the rarest of them; None where there are none."""
        found = [self._terms.find(term) for term in dict.fromkeys(terms)]
        known = sorted((term for term in found if term is not None), key=self._held)
        if len(known) < len(found):
            return None
        rows, counts = self._posted(known[0])
        for term in known[1:]:
            held, times = self._posted(term)
            at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
            both = held[at] == rows
            rows, counts = rows[both], np.minimum(counts[both], times[at[both]])
        return Clause(rows, counts, self.idf(len(rows))) if len(rows) else None

    def _any(self, terms: Sequence[int]) -> list[Clause]:
        """The rows that hold any of ``terms``, as one word."""
        if not terms:
            return []
        rows, counts = (np.concatenate(part) for part in zip(*map(self._posted, terms), strict=True))
        order = np.lexsort((-counts.astype(np.int16), rows))
        rows, first = np.unique(rows[order], return_index=True)
        return [Clause(rows, counts[order][first], self.idf(len(rows)))]

    def _posted(self, term: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(int(self._starts[term]), int(self._starts[term + 1]))
        return self._rows[part], self._counts[part]

    def _own_terms(self, row: int) -> list[int]:
        terms: list[int] = self._own[self._own_starts[row] : self._own_starts[row + 1]].tolist()
        return terms

    def _held(self, term: int) -> int:
        return int(self._starts[term + 1] - self._starts[term])

    def _sum(self, query: Query, admitted: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The scores of the admitted rows that hold any word, ascending by row."""
        held, gains = [np.empty(0, np.int32)], [np.empty(0)]
        for rows, counts, weight in query.clauses:
            if admitted is not None:
                kept = admitted[rows]
                rows, counts = rows[kept], counts[kept]
            held.append(rows)
            gains.append(weight * self._saturation(rows, counts))
        places: list[np.ndarray] = held
        found = None  # every row
        if _SPARSE * sum(map(len, held)) < len(self):
            found, at = np.unique(np.concatenate(held), return_inverse=True)
            places = np.split(at, np.cumsum([len(rows) for rows in held])[:-1])
        gained, covered = np.zeros((2, len(self) if found is None else len(found)))
        for place, gain, weight in zip(places[1:], gains[1:], (clause.weight for clause in query.clauses), strict=True):
            gained[place] += gain
            covered[place] += weight
        some = np.flatnonzero(covered)
        return some if found is None else found[some], gained[some] * (covered[some] / (query.total or 1))

    def _saturation(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """1 for a word that is there once in a text of mean length; less in longer ones, more where it is repeated."""
        return counts * (_K1 + 1) / (counts + _K1 * (1 - _B + _B * (self._lengths[rows] / self._mean)))

    def _check(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise QueryError(
                f"Row {int(rows.min() if rows.min() < 0 else rows.max())} was asked for, the text index has {len(self)}: "
                "it was made from another catalog version. Take the catalog of the release"
            )
        return rows.astype(np.int32)


def _count(index: TextIndex | None, terms: Iterable[str]) -> int:
    """How many rows hold all of ``terms``."""
    held = None if index is None else index._together(terms)
    return 0 if held is None else len(held.rows)


def telling(
    index: TextIndex, liked: Iterable[tuple[Iterable[str], float]], others: TextIndex | None = None
) -> dict[str, float]:
    """(terms, share) of liked items -> the most telling terms and what they count, best first: those that few hold, but not
    one alone, of ``index`` and of ``others`` beside it.
    """
    found: dict[str, float] = {}
    for terms, share in liked:
        for term in terms:
            held = index.held(term) + (0 if others is None else others.held(term))
            if 1 < held <= max(len(index) / 2, 2):
                found[term] = found.get(term, 0.0) + share * index.idf(held)
    best = sorted((term for term in found if found[term] > 0), key=lambda term: (-found[term], term.encode()))
    return {term: found[term] for term in best[:_TELLING]}
