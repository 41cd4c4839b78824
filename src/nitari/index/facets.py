"""Facets: the rows of each large value of a declared column, laid side by side, so that its exact search is a short scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from nitari.errors import DamagedArtifactError
from nitari.filters import Eq, In, Selection
from nitari.index.codes import Codes
from nitari.index.planner import Part, Region
from nitari.index.scan import Scan
from nitari.mask import encode

_LEAST = 4096  # rows that are worth a block: fewer are gathered as fast
_SAMPLE = 64  # rows of a selection that show which blocks it may lie in
_BLOCKS = 8  # a selection over more of them is answered from all vectors


class Facet(NamedTuple):
    """One column: ``values`` as text, ``sizes`` of their blocks, ``rows`` block by block, and ``of`` (n,) each row's block."""

    column: str
    values: list[str]
    sizes: list[int]
    rows: np.ndarray  # (sum of sizes,) int64, ascending within a block
    of: np.ndarray  # (n,) int16; -1: none
    copy: Codes | np.ndarray  # what is scanned, in the order of rows


class Facets:
    """``regions`` are the blocks, facet by facet. No declared column, or few vectors: there are none."""

    def __init__(self, scan: Scan, facets: list[Facet]) -> None:
        self.facets = facets
        self.regions: list[list[Region]] = [_regions(scan, facet) for facet in facets]

    @classmethod
    def of(cls, scan: Scan, attributes: pa.Table | None) -> Self:
        """Lay out what is scanned by each column of ``attributes``, (n,) values row-aligned with the vectors."""
        facets = []
        columns = {} if attributes is None else dict(zip(attributes.column_names, attributes.columns, strict=True))
        for column, values in columns.items():
            encoded = encode(values)
            if encoded.codes is None:
                continue
            sizes = np.bincount(encoded.codes, minlength=len(encoded.values))
            large = np.flatnonzero((sizes >= _LEAST) & (sizes < len(encoded.codes)))
            if not len(large):
                continue
            block = np.full(len(sizes), -1, np.int16)
            block[large] = np.arange(len(large))
            of = block[encoded.codes]
            order = np.argsort(of, kind="stable")
            rows = order[np.count_nonzero(of < 0) :]
            names = ["" if value is None else str(value) for value in encoded.values.take(pa.array(large)).to_pylist()]
            copy = scan.vectors[rows] if scan.codes is None else scan.codes.take(rows)
            facets.append(Facet(column, names, sizes[large].tolist(), rows, of, copy))
        return cls(scan, facets)

    def divide(self, where: Selection, n: int) -> list[list[Part]]:
        """The ways to find all that ``where`` admits in blocks of one facet: none, or one a facet."""
        ways: list[list[Part]] = []
        if where.count < _LEAST:
            return ways
        step = max(1, where.count // _SAMPLE)
        sample = np.flatnonzero(where.mask(n)[::step]) * step  # not of the rows: those of most need not be worked out
        for facet, regions in zip(self.facets, self.regions, strict=True):
            blocks = np.unique(facet.of[sample]).tolist()
            room = sum(facet.sizes[block] for block in blocks)
            if not blocks or blocks[0] < 0 or len(blocks) > _BLOCKS or where.count > room:
                continue
            if where.count == room and _asks_for(where, facet, blocks):
                ways.append([Part(regions[block], None, facet.sizes[block]) for block in blocks])
                continue
            parts = [regions[block].part(where, n) for block in blocks]
            if sum(part.count for part in parts) == where.count:
                ways.append(parts)
        return ways

    def save(self, path: Path) -> list[dict[str, Any]]:
        described = []
        for i, facet in enumerate(self.facets):
            np.save(path / f"facet-{i}.rows.npy", facet.rows)
            np.save(path / f"facet-{i}.of.npy", facet.of)
            parameters: dict[str, Any] = {"column": facet.column, "values": facet.values, "sizes": facet.sizes}
            if isinstance(facet.copy, Codes):
                parameters |= facet.copy.save(path, f"facet-{i}")
            else:
                np.save(path / f"facet-{i}.vectors.npy", facet.copy)
            described.append(parameters)
        return described

    @classmethod
    def load(cls, scan: Scan, path: Path, described: list[dict[str, Any]]) -> Self:
        """Memory-mapped; raises DamagedArtifactError where the files are not of the shape described."""
        facets = []
        for i, parameters in enumerate(described):
            count = sum(parameters["sizes"])
            rows, of = _mapped(path / f"facet-{i}.rows.npy"), _mapped(path / f"facet-{i}.of.npy")
            copy: Codes | np.ndarray
            if scan.codes is None:
                copy = _mapped(path / f"facet-{i}.vectors.npy")
            else:
                copy = Codes.load(path, f"facet-{i}", scan.space, count, parameters)
            if not (len(rows) == len(copy) == count and len(of) == len(scan)):
                raise DamagedArtifactError(
                    f"The index of space '{scan.space.name}' has a facet '{parameters['column']}' of other vectors. It was "
                    "not loaded. Renew it with: nitari build collection=…"
                )
            facets.append(Facet(parameters["column"], parameters["values"], parameters["sizes"], rows, of, copy))
        return cls(scan, facets)


def _asks_for(where: Selection, facet: Facet, blocks: list[int]) -> bool:
    """Whether a filter asks for the values of these blocks, and for nothing else."""
    node = where.filter
    if not isinstance(node, Eq | In) or node.column != facet.column:
        return False
    asked = {str(value) for value in ((node.value,) if isinstance(node, Eq) else node.values)}
    named = {facet.values[block] for block in blocks}  # "" is no value, too
    return "" not in named and asked == named


def _regions(scan: Scan, facet: Facet) -> list[Region]:
    regions, start = [], 0
    for value, size in zip(facet.values, facet.sizes, strict=True):
        here = slice(start, start + size)
        start += size
        rows = facet.rows[here]
        if isinstance(facet.copy, Codes):
            block = Scan(scan.space, scan.vectors, scan.unit, facet.copy.take(here), scan.origin, rows)
        else:
            block = Scan(scan.space, facet.copy[here], scan.unit, None, scan.origin, rows)
        regions.append(Region(block, None, f"{facet.column}={value}"))
    return regions


def _mapped(file: Path) -> np.ndarray:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
