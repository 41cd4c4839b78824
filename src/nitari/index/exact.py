"""Exact search: the oracle of all other indexes, and the best one for small collections."""

from __future__ import annotations

from nitari.index.planned import Planned


class Exact(Planned):
    """Scans in blocks: the memory used does not grow with the number of vectors. Equal distances are ordered by row."""
