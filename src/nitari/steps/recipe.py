"""A recipe: everything that decides an encoder, and the encoders of a collection that were made by one."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nitari.artifact import Artifact, publish
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import ArtifactError
from nitari.extractor.encoder import WEIGHTS
from nitari.model import create
from nitari.model.augment import Augment
from nitari.model.data import Data
from nitari.model.trainer import Settings
from nitari.steps.encoder import Encode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an encoder. ``model`` and ``objective`` are specifications (``nitari.model.create``)."""

    model: Mapping[str, Any]
    objective: Mapping[str, Any]
    augment: Augment
    data: Data
    trainer: Settings
    encode: Encode = field(default_factory=Encode)
    where: str | None = None
    seed: int = 0

    @property
    def teacher(self) -> tuple[str, int] | None:
        """The space that the objective learns from, and how many numbers of it."""
        return getattr(create(self.objective), "teacher", None)

    def key(self, collection: Collection) -> dict[str, Any]:
        """JSON-ready; the same recipe on the same catalog goes on with the same unfinished work."""
        catalog = Catalog.newest(collection)
        values = asdict(self) | {"trainer": self.trainer.budget(), "catalog": catalog.artifact.manifest.digest}
        if used := catalog.used(self.where, getattr(create(self.objective), "columns", {})):
            values["annotations"] = used
        if self.teacher:
            values["teacher"] = collection.latest("embeddings", self.teacher[0]).manifest.digest
        return json.loads(json.dumps(values))


def trained(collection: Collection, recipe: Recipe, alike: bool = False) -> Artifact | None:
    """The newest intact encoder made by ``recipe``; ``alike``: by one that differs only in what follows the network."""
    loose = {"encode": None} if alike else {}
    key = recipe.key(collection) | loose
    for known in reversed(collection.ids("encoder")):
        try:
            encoder = collection.open("encoder", known)
            if encoder.manifest.info.get("recipe", {}) | loose == key:
                encoder.file(WEIGHTS, full=True)
                return encoder
        except ArtifactError as error:  # damaged, or of another version
            logger.info("Encoder '%s' is not used again: %s", known, error)
    return None


def promote(collection: Collection, encoder: Artifact) -> Artifact:
    """Publish ``encoder`` once more, so that it is the newest; as it is, if it already is."""
    if collection.latest("encoder").id == encoder.id:
        return encoder
    encoder.verify()
    manifest = encoder.manifest
    work = collection.work("promote", {"encoder": encoder.id})
    for name in manifest.files:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(encoder.path / name, work / name)
    return publish(
        work,
        collection.folder("encoder"),
        "encoder",
        parents={"catalog": collection.parent(encoder, "catalog")},
        counts=manifest.counts,
        config=manifest.config,
        info=manifest.info,
        mlflow_run=manifest.mlflow_run,
    )
