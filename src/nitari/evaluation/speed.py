"""How many pictures a second an extractor takes on one thread, thumbnail decoding and resizing included."""

from __future__ import annotations

import time

import numpy as np

from nitari.evaluation.metrics import Estimate
from nitari.extractor.stored import Finished
from nitari.steps.pictures import Pictures

BATCH = 32


def pictures_per_second(pictures: Pictures, extractor: Finished, rows: np.ndarray, *, seed: int = 0) -> Estimate:
    """Over ``rows`` in batches, with a bootstrap interval over the batches; the first batch is run once before."""
    batches = np.array_split(rows, max(1, len(rows) // BATCH))
    seconds = np.empty(len(batches))
    extractor.extract(pictures.read(batches[0], extractor.side))
    for at, batch in enumerate(batches):
        start = time.perf_counter()
        extractor.extract(pictures.read(batch, extractor.side))
        seconds[at] = time.perf_counter() - start
    sizes = np.array([len(batch) for batch in batches])
    chosen = np.random.default_rng(seed).integers(0, len(batches), (1000, len(batches)))
    rates = sizes[chosen].sum(axis=1) / seconds[chosen].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    value = float(sizes.sum() / seconds.sum())
    return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)), queries=len(rows))
