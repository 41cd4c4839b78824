"""Shows where two encoders disagree: on the same queries, with what each finds side by side as pictures.

    nitari compare collection=shoes a=20261124T174441396-39abac b=20261124T175037113-78b003
    nitari compare collection=shoes a=encoder b=hog labels=category

``a`` and ``b`` are encoders by their ids (nitari show collection=shoes lists them), or spaces by their names. What has no
vectors of the newest catalog is extracted first.
"""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from nitari.artifact import Artifact
from nitari.collection import Collection
from nitari.errors import ConfigError
from nitari.extractor.encoder import EncoderExtractor
from nitari.steps.extract import extract

from . import choices, evaluate
from .job import job
from .progress import Progress


def run(cfg: DictConfig) -> dict[str, Any]:
    collection = Collection.existing(cfg.root, cfg.collection)
    if cfg.a == cfg.b:
        raise ConfigError(f"a and b are both '{cfg.a}'. Name two encoders or spaces: {_known(collection)}")
    for which in (str(cfg.a), str(cfg.b)):  # before either is extracted
        if which not in [*collection.ids("encoder"), *collection.spaces(), *choices.known("extractor")]:
            raise ConfigError(f"'{which}' is no encoder and no space here. There are: {_known(collection)}")
    spaces = [embeddings(collection, str(which), cfg) for which in (cfg.a, cfg.b)]
    return evaluate.measured(cfg, collection, spaces, "compare")


def embeddings(collection: Collection, which: str, cfg: DictConfig) -> Artifact:
    """Of the space ``which``, or of the encoder with that id, which gets a space of its own."""
    if which in collection.ids("encoder"):
        encoder = collection.open("encoder", which)
        return extract(
            collection,
            EncoderExtractor(encoder.path, name=f"encoder-{which[-6:]}"),
            threads=cfg.workers,
            seed=cfg.seed,
            progress=Progress(f"extract {which}"),
        )
    return evaluate.compared(collection, which, cfg)


def _known(collection: Collection) -> str:
    return ", ".join([*collection.ids("encoder"), *collection.spaces()])


main = job("compare", run, evaluate.show)
