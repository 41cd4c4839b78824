"""The protocol with labels: are a picture's neighbours of its class? The picture and its exact duplicates are passed over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from nitari.catalog import Catalog
from nitari.errors import ConfigError
from nitari.evaluation.metrics import DEPTH
from nitari.evaluation.ranking import nearest
from nitari.evaluation.subject import Subject


@dataclass(frozen=True)
class Labelled:
    """Queries and gallery with their classes. ``exclude`` (m, 2) are (query's position, row) pairs of equal bytes."""

    column: str
    queries: np.ndarray  # (q,) catalog rows
    gallery: np.ndarray  # (g,) catalog rows
    codes: np.ndarray  # (n_ready,) class of each row, -1 without a label
    classes: list[str]
    exclude: np.ndarray
    total: np.ndarray  # (q,) relevant rows in the gallery
    unlabelled: int
    alone: int  # queries left out because nothing in the gallery is relevant

    def relevant(self, rows: np.ndarray) -> np.ndarray:
        """(q, k) rows, -1 where there are none -> (q, k) bool."""
        return (rows >= 0) & (self.codes[rows] == self.codes[self.queries][:, None])


def labelled(catalog: Catalog, column: str, queries: np.ndarray, gallery: np.ndarray, groups: np.ndarray) -> Labelled:
    """Raises QueryError on an unknown column and ConfigError where no query has anything relevant to find."""
    values = catalog.ready(column)
    if pa.types.is_nested(values.type):
        raise ConfigError(f"labels={column} holds {values.type}. Name a column with one value a picture")
    codes, classes = pd.factorize(values.to_pandas())
    codes = np.asarray(codes, np.int64)
    named = queries[codes[queries] >= 0]
    gallery_named = gallery[codes[gallery] >= 0]
    unlabelled = len(queries) - len(named) + len(gallery) - len(gallery_named)
    exclude = _pairs(groups, named, gallery_named)
    total = np.bincount(codes[gallery_named], minlength=len(classes) + 1)[codes[named]]
    same = codes[named[exclude[:, 0]]] == codes[exclude[:, 1]]
    total = total - np.bincount(exclude[same, 0], minlength=len(named))
    kept = total > 0
    if len(queries) and not len(named):
        raise ConfigError(
            f"None of the {len(queries):,} queries has a '{column}', of which the gallery has {len(classes):,} different values. "
            "Choose others, with queries=FILTER, or name another column"
        )
    if not kept.any():
        raise ConfigError(
            f"No query has another picture with its '{column}' in the gallery ({len(queries)} queries, "
            f"{len(gallery)} in the gallery, {len(classes)} different values). Name another column, or other filters"
        )
    position = np.cumsum(kept) - 1
    exclude = exclude[kept[exclude[:, 0]]]
    exclude[:, 0] = position[exclude[:, 0]]
    return Labelled(
        column,
        named[kept],
        gallery_named,
        codes,
        [str(name) for name in classes],
        exclude,
        total[kept],
        unlabelled,
        int((~kept).sum()),
    )


def rank(subject: Subject, task: Labelled, seed: int = 0) -> np.ndarray:
    """(q, DEPTH) rows of the gallery, from the nearest on; -1 where there are fewer."""
    rows, _ = nearest(
        subject.space,
        np.asarray(subject.vectors[task.queries]),
        subject.vectors,
        task.gallery,
        DEPTH,
        exclude=task.exclude,
        seed=seed,
    )
    return rows


def per_query(catalog: Catalog, task: Labelled, values: dict[str, np.ndarray], space: str) -> pd.DataFrame:
    """One row a query: space, item_id, label, relevant, and its metrics."""
    frame = pd.DataFrame(
        {
            "space": space,
            "item_id": catalog.item_ids[task.queries].astype(str),
            "label": [task.classes[code] for code in task.codes[task.queries]],
            "relevant": task.total,
        }
    )
    for name, column in values.items():
        frame[name] = column
    return frame


def per_class(task: Labelled, queries: pd.DataFrame) -> pd.DataFrame:
    """``per_query`` rows of one or more spaces -> means a space and class: queries, gallery, and the metrics."""
    metrics = [name for name in queries.columns if name not in ("space", "item_id", "label", "relevant")]
    grouped = queries.groupby(["space", "label"], sort=True, observed=True)
    table = grouped[metrics].mean()
    sizes = np.bincount(task.codes[task.gallery], minlength=len(task.classes))
    table.insert(0, "queries", grouped.size())
    table.insert(1, "gallery", [int(sizes[task.classes.index(label)]) for _, label in table.index])
    return table.reset_index()


def _pairs(groups: np.ndarray, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """(m, 2): each query's position with every gallery row of its group."""
    order = np.argsort(groups[gallery], kind="stable")
    ordered = groups[gallery][order]
    first = np.searchsorted(ordered, groups[queries], "left")
    count = np.searchsorted(ordered, groups[queries], "right") - first
    query = np.repeat(np.arange(len(queries)), count)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([query, gallery[order[np.repeat(first, count) + offset]]], axis=1)
