from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nitari.errors import ConfigError, MissingExtraError
from nitari.index import Index, create
from nitari.space import Space


@pytest.fixture(scope="session")
def make_vectors() -> Callable[[Space, int, int], np.ndarray]:
    """``make_vectors(space, n, seed)``: (n, width) clustered vectors, a tenth of them copies of others."""

    def make(space: Space, n: int, seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        if space.metric == "hamming":
            vectors = random.integers(0, 256, (n, space.width), np.uint8)
        else:
            centres = random.standard_normal((8, space.width))
            vectors = centres[random.integers(0, 8, n)] + 0.5 * random.standard_normal((n, space.width))
            vectors = space.check(vectors)
        if n:
            copies = random.integers(0, n, (n // 10, 2))
            vectors[copies[:, 0]] = vectors[copies[:, 1]]
        return vectors

    return make


@pytest.fixture(scope="session")
def built() -> Callable[[dict[str, Any], Space, np.ndarray], Index]:
    """``built(spec, space, vectors)``: the index, or a skip where the choice says by name that the metric is not its own."""

    def build(spec: dict[str, Any], space: Space, vectors: np.ndarray) -> Index:
        try:
            index = create(spec, space)
        except ConfigError as error:
            assert "index=exact" in str(error)
            pytest.skip(f"it does not search {space.metric}")
        except MissingExtraError as error:
            pytest.skip(str(error))
        index.build(vectors)
        return index

    return build
