"""Pictures of a collection by catalog row: thumbnails where one is large enough, originals otherwise."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from nitari import thumbnails
from nitari.catalog import Catalog
from nitari.collection import Collection
from nitari.errors import PictureError
from nitari.images.decode import Limits, decode
from nitari.images.original import read_original
from nitari.images.shrink import pyramid, shrink
from nitari.recommend.live import Live
from nitari.thumbnails import Thumbnails

log = logging.getLogger(__name__)


class Pictures:
    """Reads ready rows of ``catalog``, whose ``thumbnails`` may be open already. Thread-safe."""

    def __init__(self, collection: Collection, catalog: Catalog, thumbnails: Thumbnails | None = None) -> None:
        self.catalog = catalog
        self.thumbnails = thumbnails or Thumbnails(collection.parent(catalog.artifact, "thumbnails"))
        config = self.thumbnails.artifact.manifest.config
        self.background: tuple[int, int, int] = tuple(config["background"])
        self.quality = int(config["quality"])
        self.limits = Limits(**catalog.artifact.manifest.config["limits"])  # for pictures that were never ingested

    def read(self, rows: Iterable[int], side: int) -> list[np.ndarray]:
        """Each row's picture, (h, w, 3) uint8 upright RGB: its thumbnail of at least ``side``, or its shrunk original.

        A picture smaller than ``side`` comes as it is. Where an original is needed and can no longer be read, its
        largest thumbnail stands in for it.
        """
        size = self.thumbnails.size_for(side)
        if size is not None:
            return self.thumbnails.read(rows, size)
        return [self._large(int(row), side) for row in rows]

    def original(self, row: int) -> np.ndarray:
        """(H, W, 3) uint8 upright RGB at full size; raises PictureError when it cannot be read any more."""
        return self._decode(row, None)

    def thumbnail_of(self, picture: np.ndarray | bytes, side: int) -> np.ndarray:
        """What ``read`` would give for a picture that is not in the collection: shrunk, encoded and decoded alike.

        An original's bytes give exactly the pixels of its stored thumbnail; its full (H, W, 3) pixels differ by
        rounding, as large JPEGs are decoded at a reduced scale. Bytes raise PictureError when they cannot be read.
        """
        sizes = [size for size in self.thumbnails.sizes if size >= side]
        largest = self.thumbnails.sizes[-1] if sizes else side
        if isinstance(picture, bytes):
            picture = decode(picture, self.limits, side=largest, background=self.background).pixels
        if not sizes:
            return shrink(picture, side)
        return thumbnails.decode(thumbnails.encode(pyramid(picture, sizes)[sizes[0]], self.quality))

    def _large(self, row: int, side: int) -> np.ndarray:
        largest = self.thumbnails.sizes[-1]
        record = self.catalog.records([row], ["width", "height"])[0]
        if max(record["width"], record["height"]) > largest:
            try:
                return shrink(self._decode(row, side), side)
            except PictureError as error:
                log.warning("Row %d is shown by its thumbnail of %d px: %s", row, largest, error)
        return self.thumbnails.read([row], largest)[0]

    def _decode(self, row: int, side: int | None) -> np.ndarray:
        record = self.catalog.records([row], ["file_name", "location", "offset", "size_bytes"])[0]
        data = read_original(record["location"], record["offset"], record["size_bytes"])
        return decode(data, Limits.none(), side=side, background=self.background).pixels


class LivePictures(Pictures):
    """Reads the rows of ``live.catalog``: those of the release, and those that were added since."""

    def __init__(self, collection: Collection, live: Live) -> None:
        super().__init__(collection, live.catalog)
        self._live = live
        self._added = {one.first: Pictures(one.collection, one.catalog, one.thumbnails) for one in live.additions}

    def read(self, rows: Iterable[int], side: int) -> list[np.ndarray]:
        return [self._read(int(row), side) for row in rows]

    def _read(self, row: int, side: int) -> np.ndarray:
        addition, at = self._live.at(row)
        return super().read([row], side)[0] if addition is None else self._added[addition.first].read([at], side)[0]
