"""Which pictures train and which are held out: the encoder never sees the second kind, so they may test it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nitari.catalog import Catalog
from nitari.cells import leading_bits
from nitari.errors import ConfigError
from nitari.recommend.unmatched import unmatched

SPLIT = "split=train"
HELD_OUT_SHARE = 20  # one picture in this many never trains


def training_mask(catalog: Catalog, where: str | None = None) -> np.ndarray:
    """(n_ready,) bool: True trains, False is held out.

    ``where`` chooses what trains. Without it, ``split=train`` does where the catalog has such rows; otherwise one
    picture in twenty is held out, by a hash of its bytes, so that copies of one file stay on one side. A choice that
    takes every picture is treated the same way, so that something is left to measure with; ConfigError of one that
    takes none.
    """
    rule = training_rule(catalog, where)
    selection = catalog.select(rule)
    if rule and selection is not None and not selection.count:
        found = unmatched(catalog, rule)
        raise ConfigError(
            f"where is '{rule}', which chooses nothing to train on. {found}. Choose others, or all: where=null"
        )
    if selection is None or len(selection.rows) == catalog.n_ready:
        return ~_hashed_out(catalog)
    mask = np.zeros(catalog.n_ready, bool)
    mask[selection.rows] = True
    return mask


def training_rule(catalog: Catalog, where: str | None = None) -> str | None:
    """The filter that chooses the training pictures, or None where the hash alone does."""
    if where:
        return where
    if "split" not in catalog.schema.names:
        return None
    kind = catalog.schema.field("split").type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    selection = catalog.select(SPLIT)
    return SPLIT if selection is not None and len(selection.rows) else None


def _hashed_out(catalog: Catalog) -> np.ndarray:
    return np.asarray((leading_bits(catalog.ready("sha256")) >> 32) % HELD_OUT_SHARE == 0)
