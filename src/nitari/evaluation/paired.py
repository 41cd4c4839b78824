"""Paired differences: the first space against each other one, on the same queries. "Better" only where an interval says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nitari.evaluation.metrics import METRICS, Estimate, estimate

COPY = "copy_recall_at_1"


def differences(
    queries: Sequence[pd.DataFrame], copies: Sequence[pd.DataFrame], *, seed: int = 0, resamples: int = 1000
) -> dict[str, dict[str, Estimate]]:
    """``{other space: {metric: estimate of first - other}}`` from tables of one row a query, one table a space.

    Resampling the differences of the same queries leaves out what makes queries easy or hard for everybody, which is why
    two spaces whose own intervals overlap may still differ for certain: Koehn, "Statistical significance tests for
    machine translation evaluation" (EMNLP 2004).
    """
    labelled: Sequence[pd.DataFrame | None] = queries or [None] * len(copies)
    copied: Sequence[pd.DataFrame | None] = copies or [None] * len(queries)
    values = [_values(*tables) for tables in zip(labelled, copied, strict=True)]
    found: dict[str, dict[str, Estimate]] = {}
    for name, other in values[1:]:
        found[name] = {}
        for names in (list(METRICS), [COPY]):  # each protocol has queries of its own
            shared = [metric for metric in names if metric in other]
            if shared:
                apart = {metric: values[0][1][metric] - other[metric] for metric in shared}
                found[name] |= estimate(apart, seed=seed, resamples=resamples)
    return found


def verdict(difference: Mapping[str, Any]) -> str:
    """ "better", "worse", or "no difference shown" where the interval holds 0."""
    if difference["low"] > 0:
        return "better"
    return "worse" if difference["high"] < 0 else "no difference shown"


def _values(queries: pd.DataFrame | None, copies: pd.DataFrame | None) -> tuple[str, dict[str, np.ndarray]]:
    """A space's name and its per-query values; copies as means over a picture's distortions."""
    values: dict[str, np.ndarray] = {}
    name = ""
    if queries is not None:
        name = str(queries["space"].iloc[0])
        values |= {metric: queries[metric].to_numpy(float) for metric in METRICS}
    if copies is not None:
        name = str(copies["space"].iloc[0])
        values[COPY] = copies.groupby("item_id", sort=True)[COPY].mean().to_numpy(float)
    return name, values
