"""Verdicts: is one picture a copy of another? Distances in several spaces against thresholds that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nitari.errors import ConfigError
from nitari.space import Space

EXACT, COPY, LIKELY, NO = "exact", "copy", "likely", "no"
VERDICTS = (EXACT, COPY, LIKELY, NO)
"""The same bytes; within the copy threshold of a space, or the same pixels once one is laid over the other; within the likely
threshold, or agreeing in geometry; neither."""


class Threshold(NamedTuple):
    """Distances up to which a picture is a copy, and up to which it is likely one."""

    copy: float
    likely: float


MEASURED: Mapping[str, Threshold] = {
    "nitari.extractor.pdq.PdqExtractor": Threshold(31, 48),
    "nitari.extractor.phash.PhashExtractor": Threshold(6, 10),
    "nitari.extractor.signature.SignatureExtractor": Threshold(0.25, 0.35),
    "nitari.extractor.encoder.EncoderExtractor": Threshold(0.09, 0.14),
    "nitari.extractor.hog.HogExtractor": Threshold(0.15, 0.22),
    "nitari.extractor.pixels.PixelsExtractor": Threshold(0.06, 0.1),
}
"""By extractor. Of 240 pictures that are not in two collections, none is within the copy threshold of one in them:
``benchmarks/results/copies.md``.
"""

PROPOSING = ("nitari.extractor.visual_words.VisualWordsExtractor",)
"""Extractors whose distances tell no copies, but whose nearest show the same part of something: worth a look."""


def threshold(space: Space, extractor: Mapping[str, Any]) -> Threshold | None:
    """The measured threshold of a space by the specification of its extractor; None: it tells no copies."""
    found = MEASURED.get(str(extractor.get("_target_")))
    return found if found is not None and not extractor.get("raw") else None


def thresholds(known: Mapping[str, Threshold | None], asked: Mapping[str, float]) -> dict[str, Threshold]:
    """By space: what is ``known``, and what is ``asked`` for instead as the distance of a copy.

    Spaces without either are left out. ConfigError on an unknown space, a distance below 0, and when none is left.
    """
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise ConfigError(f"distance names the space '{unknown[0]}'. There are: {', '.join(known)}")
    found = {}
    for name, measured in known.items():
        if name in asked:
            if asked[name] < 0:
                raise ConfigError(f"distance of '{name}' is {asked[name]}. Give 0 or more")
            ratio = measured.likely / measured.copy if measured else 1.5
            found[name] = Threshold(asked[name], asked[name] * ratio)
        elif measured is not None:
            found[name] = measured
    if not found:
        raise ConfigError(
            f"None of the spaces {', '.join(known)} has a measured distance for copies. Give one: distance={next(iter(known), 'pdq')}:…"
        )
    return found


def closeness(distances: Mapping[str, np.ndarray], limits: Mapping[str, Threshold]) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n,) by space -> (n,) the least share of a copy threshold, and (n,) the space's place in ``limits``.

    At most 1 is a copy. ``inf`` where no space was asked.
    """
    shares = np.stack([distances[name] / max(limit.copy, 1e-9) for name, limit in limits.items()])
    best = shares.argmin(axis=0)
    return shares[best, np.arange(shares.shape[1])], best


def judge(distances: Mapping[str, np.ndarray], limits: Mapping[str, Threshold]) -> np.ndarray:
    """Distances (n,) by space -> (n,) of 1 copy, 2 likely, 3 no: places in ``VERDICTS``."""
    copy = np.any([distances[name] <= limit.copy for name, limit in limits.items()], axis=0)
    likely = np.any([distances[name] <= limit.likely for name, limit in limits.items()], axis=0)
    return np.where(copy, 1, np.where(likely, 2, 3))
