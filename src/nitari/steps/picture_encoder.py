"""Pictures that are not in the collection -> the vectors of a release's spaces, by the extractors that made those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nitari.artifact import Artifact
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import PictureError
from nitari.extractor.stored import Finished, restore
from nitari.images.decode import decode
from nitari.images.original import read_original
from nitari.steps.pictures import Pictures


class PictureEncoder:
    """The ``encode`` of a Recommender: pictures go through the collection's thumbnail code before they are extracted."""

    def __init__(self, collection: Collection, release: Artifact) -> None:
        self.collection = collection
        self.release = release
        self.pictures = Pictures(collection, Catalog(collection.parent(release, "catalog")))
        self._extractors: dict[str, Finished] = {}

    def read(self, path: Path) -> bytes:
        """The bytes of a picture file within the collection's limits; PictureError names what is wrong with it."""
        try:
            data = read_original(str(path), -1, 0, most=int(self.pictures.limits.max_bytes))
            decode(data, self.pictures.limits, side=1)
        except PictureError as error:
            raise PictureError(error.reason, f"'{path}' cannot be used as a query: {error}") from None
        return data

    def __call__(self, space: str, pictures: Sequence[np.ndarray | bytes]) -> np.ndarray:
        """n pictures, RGB arrays or files -> (n, width). PictureError when a file cannot be read."""
        extractor = self.extractor(space)
        return extractor.extract([self.pictures.thumbnail_of(picture, extractor.side) for picture in pictures])

    def extractor(self, space: str) -> Finished:
        """What made a space of the release, opened once."""
        if space not in self._extractors:
            embeddings = self.collection.parent(self.release, f"embeddings:{space}", space)
            self._extractors[space] = restore(self.collection, embeddings)
        return self._extractors[space]
