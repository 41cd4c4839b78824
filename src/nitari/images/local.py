"""Local descriptors: what small regions of a picture look like, at places and scales that are found again in a copy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nitari.errors import MissingExtraError
from nitari.space import unit

DIM = 128


@dataclass(frozen=True)
class Local:
    """``places`` (n, 2) float32, x and y in pixels; ``descriptors`` (n, 128) float32, unit norm."""

    places: np.ndarray
    descriptors: np.ndarray


def sift(image: np.ndarray, most: int, contrast: float = 0.01) -> Local:
    """(H, W, 3) uint8 RGB -> the ``most`` strongest SIFT features, Lowe, "Distinctive image features from scale-invariant
    keypoints" (IJCV 2004), as RootSIFT. A place with several orientations has as many features.

    ``contrast`` is how much a feature must stand out, of the range of grey values: 0.04 is usual for photographs, less
    finds something in small and flat pictures too. Raises MissingExtraError without OpenCV.
    """
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("opencv-python-headless", "local") from None
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    # One detector a call: it keeps its image pyramid, which threads must not share.
    points, descriptors = cv2.SIFT_create(contrastThreshold=contrast).detectAndCompute(grey, None)
    if descriptors is None:
        return Local(np.empty((0, 2), np.float32), np.empty((0, DIM), np.float32))
    strongest = np.argsort([-point.response for point in points], kind="stable")[:most]
    places = np.array([points[i].pt for i in strongest], np.float32)
    return Local(places, root(descriptors[strongest]))


def root(descriptors: np.ndarray) -> np.ndarray:
    """(n, 128) of no negative number -> (n, 128) float32, unit norm: RootSIFT, whose dot product is Hellinger's kernel.

    Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval" (CVPR 2012).
    """
    return unit(np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12), dtype=np.float32))
