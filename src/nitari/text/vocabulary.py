"""The vocabulary of a text index: sorted terms, by name, by how they begin, and by how they may have been misspelt."""

from __future__ import annotations

import numpy as np


class Vocabulary:
    """Sorted by UTF-8. ``letters`` (b,) uint8 are all terms, one after another; ``starts`` (v + 1,) says where each begins."""

    def __init__(self, letters: np.ndarray, starts: np.ndarray, signatures: np.ndarray) -> None:
        self._letters = letters
        self._starts = starts
        self._signatures = signatures

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> str:
        return self._bytes(number).decode()

    def find(self, term: str) -> int | None:
        """The number of a term, or None."""
        wanted = term.encode()
        at = self._bisect(wanted)
        return at if at < len(self) and self._bytes(at) == wanted else None

    def beginning(self, prefix: str) -> range:
        """The numbers of all terms that begin with ``prefix``."""
        wanted = prefix.encode()
        return range(self._bisect(wanted), self._bisect(wanted + b"\xff"))  # 0xff is in no UTF-8

    def near(self, term: str) -> list[int]:
        """The numbers of terms one edit away: a letter more, less or other, or two neighbours exchanged.

        Damerau, "A technique for computer detection and correction of spelling errors" (1964). Terms whose letters differ
        too much, by a bit set of each, are left out before any is compared; so the whole vocabulary is looked at.
        """
        wanted = term.encode()
        mine = signature(np.frombuffer(wanted, np.uint8), np.zeros(1, np.int64))[0]
        alike = np.flatnonzero(np.bitwise_count(self._signatures ^ mine) <= 2)
        alike = alike[np.abs(self._starts[alike + 1] - self._starts[alike] - len(wanted)) <= 1]
        return [int(number) for number in alike if one_edit(wanted, self._bytes(int(number)))]

    def _bytes(self, number: int) -> bytes:
        return self._letters[self._starts[number] : self._starts[number + 1]].tobytes()

    def _bisect(self, wanted: bytes) -> int:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low


def signature(letters: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(b,) uint8 bytes of words that begin at ``starts`` (w,) -> (w,) uint64, a bit for each byte value modulo 64."""
    return np.bitwise_or.reduceat(np.uint64(1) << (letters & np.uint8(63)).astype(np.uint64), starts)


def one_edit(a: bytes, b: bytes) -> bool:
    """Whether two different words are one insertion, deletion, substitution or exchange of neighbours apart."""
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    a, b = a[same:], b[same:]
    if len(a) != len(b):
        longer, shorter = (a, b) if len(a) > len(b) else (b, a)
        return longer[1:] == shorter
    return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
