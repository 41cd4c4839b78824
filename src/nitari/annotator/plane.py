"""A plane where neighbours of a space stay neighbours."""

from __future__ import annotations

import warnings

import numpy as np

from nitari.errors import MissingExtraError


def spread(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, d) -> (n, 2) float32 of any scale: van der Maaten and Hinton, "Visualizing data using t-SNE" (JMLR 2008), from
    their principal components: Kobak and Linderman, "Initialization is critical for preserving global data structure in
    both t-SNE and UMAP" (Nature Biotechnology 2021). Takes seconds for thousands; of fewer than 4, a row.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise MissingExtraError("scikit-learn", "train") from None
    vectors = np.asarray(vectors, np.float32)
    if len(vectors) < 4:
        return np.stack([np.arange(len(vectors)), np.zeros(len(vectors))], axis=1).astype(np.float32)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    # From their principal components, which vectors all alike do not have: its division by zero ends the process.
    flat = vectors.shape[1] < 2 or (np.ptp(vectors, axis=0) > 1e-6).sum() < 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about defaults of its own that will change
        found: np.ndarray = TSNE(
            2, perplexity=perplexity, init="random" if flat else "pca", random_state=seed, metric="euclidean"
        ).fit_transform(vectors)
    return found


def places(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, d) unit vectors -> (n, 2) in [0, 1], as ``spread``; the farthest hundredth along each axis lies on the edge."""
    found = spread(vectors, seed)
    low, high = np.percentile(found, [0.5, 99.5], axis=0)
    return np.clip((found - low) / np.maximum(high - low, 1e-9), 0, 1)
