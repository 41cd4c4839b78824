"""Rows by words: BM25 over an inverted file.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the inverse document
frequency of Lucene, which is never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from nitari.artifact import Artifact
from nitari.errors import QueryError
from nitari.filters import Selection
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

    def __init__(self, path: Path) -> None:
        self._terms = Vocabulary(*(_map(path / f"{name}.npy") for name in ("letters", "letter_starts", "signatures")))
        self._starts, self._rows, self._counts, self._lengths, self._own_starts, self._own = (
            _map(path / f"{name}.npy") for name in ("starts", "rows", "counts", "lengths", "own_starts", "own")
        )
        self._mean = max(float(self._lengths.mean()), 1.0) if len(self) else 1.0

    @classmethod
    def open(cls, artifact: Artifact) -> Self:
        """A published index. DamagedArtifactError before any damaged byte is used."""
        artifact.verify()
        return cls(artifact.path)

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

    def ask(self, text: str) -> Query:
        """What is looked for when somebody types ``text``. A word that nothing is like counts in ``total`` alone."""
        if len(text) > _LONGEST:
            raise QueryError(f"The text to search for has {len(text):,} characters. Give at most {_LONGEST:,}")
        found = list(dict.fromkeys(words(text)))
        if not found:
            raise QueryError(f"The text '{text}' has no word in it. Give some letters or digits")
        clauses, unknown = [], 0
        for word in found:
            like_it = self._look_up(word)
            clauses += like_it
            unknown += not like_it
        total = sum(clause.weight for clause in clauses) + unknown * self._idf(0)
        return Query(tuple(clauses), total, total)

    def ask_like(self, rows: Sequence[int] | np.ndarray, weights: Sequence[float] | np.ndarray | None = None) -> Query:
        """The most telling words of items: those that few others hold, and some do."""
        liked = self._check(rows)
        telling: dict[int, float] = {}
        for row, share in zip(liked, np.ones(len(liked)) if weights is None else weights, strict=True):
            for term in self._own_terms(row):
                if 1 < (held := self._held(term)) <= max(len(self) / 2, 2):
                    telling[term] = telling.get(term, 0.0) + float(share) * self._idf(held)
        chosen = sorted((term for term in telling if telling[term] > 0), key=lambda term: (-telling[term], term))
        clauses = tuple(Clause(*self._posted(term), telling[term]) for term in chosen[:_TELLING])
        query = Query(clauses, sum(clause.weight for clause in clauses), 0)
        return replace(query, most=float(self.scores(query, liked).max(initial=0)))

    def terms_of(self, row: int) -> list[str]:
        """The terms that a row is found by, each once, in no order that matters."""
        return [self._terms[term] for term in self._own_terms(self._check([row])[0])]

    def _asked(self, query: str | Query) -> Query:
        return self.ask(query) if isinstance(query, str) else query

    def _look_up(self, word: str) -> list[Clause]:
        """A word as it is, or else its parts, or else what may have been meant; nothing where nothing is like it."""
        wanted = needed(word)
        if whole := self._together(wanted):
            return [whole]
        pieces = parts(word)
        if len(pieces) > 1:
            return [clause for piece in pieces for clause in self._look_up(piece)]
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
        return Clause(rows, counts, self._idf(len(rows))) if len(rows) else None

    def _any(self, terms: Sequence[int]) -> list[Clause]:
        """The rows that hold any of ``terms``, as one word."""
        if not terms:
            return []
        rows, counts = (np.concatenate(part) for part in zip(*map(self._posted, terms), strict=True))
        order = np.lexsort((-counts.astype(np.int16), rows))
        rows, first = np.unique(rows[order], return_index=True)
        return [Clause(rows, counts[order][first], self._idf(len(rows)))]

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

    def _idf(self, held: int) -> float:
        return float(np.log1p((len(self) - held + 0.5) / (held + 0.5)))

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


def _map(file: Path) -> np.ndarray:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
