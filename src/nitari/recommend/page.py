"""What a recommendation is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One item. ``similarity`` is by space, 1 for the same vector; ``score`` is their weighted mean."""

    item_id: str
    score: float
    similarity: dict[str, float]
    attributes: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "item_id": self.item_id,
            "score": round(self.score, 6),
            "similarity": {space: round(value, 6) for space, value in self.similarity.items()},
            "attributes": self.attributes,
        }


@dataclass(frozen=True)
class Page:
    """Results, best first, and the release they come from."""

    collection: str
    release: str
    results: list[Result]

    def to_dict(self) -> dict[str, Any]:
        return {
            "collection": self.collection,
            "release": self.release,
            "results": [result.to_dict() for result in self.results],
        }
