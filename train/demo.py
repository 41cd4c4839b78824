"""Runs the whole way on a sample of real pictures from the package index, and shows what it made.

    nitari demo
    nitari demo root=demo

The sample is the pictures inside the wheel `diagrams` (the extra 'samples'): logos and icons of cloud services, with
their provider and category as labels. The labels are used only to measure; training never sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from . import pipeline
from .job import job


def run(cfg: DictConfig) -> dict[str, Any]:
    """The pipeline's results."""
    return pipeline.run(cfg)


def show(results: Mapping[str, Any]) -> str:
    return "\n".join(
        [
            pipeline.show(results),
            "",
            "With your own pictures:",
            "  nitari pipeline collection=shoes source=folder source.path=PATH",
        ]
    )


main = job("demo", run, show)
