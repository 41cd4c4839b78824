"""What a recommendation is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One item, and why: by source, its calibrated ``similarity``, the ``distance`` (or what else the source measures)
    and its ``rank``, None where another source proposed it.

    Those are rounded to six digits. ``score`` is what it was ranked by. ``copies`` are ids of near-copies that it stands for.
    """

    item_id: str
    score: float
    similarity: dict[str, float]
    distance: dict[str, float]
    rank: dict[str, int | None]
    copies: list[str]
    attributes: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "item_id": self.item_id,
            "score": round(self.score, 6),
            "similarity": self.similarity,
            "distance": self.distance,
            "rank": self.rank,
            "copies": self.copies,
            "attributes": self.attributes,
        }


@dataclass(frozen=True)
class Page:
    """Results, best first, and the release they come from. ``where`` is the filter that admitted them all; ``after``
    asks for the next page, None on the last one. ``why`` is said where the filter admits nothing.
    """

    collection: str
    release: str
    results: list[Result]
    where: str | None = None
    after: str | None = None
    why: str | None = None
    scored: int = 0  # rows that were compared for it; no part of the answer

    def to_dict(self) -> dict[str, Any]:
        return {
            "collection": self.collection,
            "release": self.release,
            "where": self.where,
            "results": [result.to_dict() for result in self.results],
            "after": self.after,
            "why": self.why,
        }
