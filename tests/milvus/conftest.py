"""Milvus-lite, or the server that tests/milvus/server.py starts (make test-milvus): the same tests run against either."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nitari.index.milvus import Milvus
from nitari.index.remote import URI
from nitari.mask import Masks
from nitari.space import Space, unit

N = 1500
SPACE = Space("form", "cosine", 24)


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("pymilvus")
    if URI in os.environ:
        return os.environ[URI]
    pytest.importorskip("milvus_lite")
    return str(tmp_path_factory.mktemp("milvus") / "tests.db")


@pytest.fixture(scope="session")
def server(uri: str) -> str:
    if uri.endswith(".db"):
        pytest.skip("milvus-lite lives in this process. The server: make test-milvus")
    return uri


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    """(N, 24) in clusters; the first numbers tell the cluster, as categories do."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((6, SPACE.dim))
    return unit((centres[np.arange(N) % 6] + 0.4 * random.standard_normal((N, SPACE.dim))).astype(np.float32))


@pytest.fixture(scope="session")
def attributes() -> pa.Table:
    """Every kind of column that is stored, with missing values, and two that are not."""
    random = np.random.default_rng(2)

    def some(values: list[Any], kind: pa.DataType, missing: float = 0.2) -> pa.Array:
        gone = random.random(N) < missing
        return pa.array([None if lost else value for value, lost in zip(values, gone, strict=True)], kind)

    words = ["bag", "shoe", "靴", "it's", "Bag", "", 'say "so"', "a\\b"]
    return pa.table(
        {
            "category": [f"c{i % 6}" for i in range(N)],
            "word": some([words[i] for i in random.integers(0, len(words), N)], pa.string()),
            "stock": some(random.integers(-5, 6, N).tolist(), pa.int16()),
            "price": some((random.integers(-4, 40, N) / 4).tolist(), pa.float64()),
            "weight": some((random.integers(0, 10, N) / 10).tolist(), pa.float32()),
            "new": some((random.random(N) < 0.5).tolist(), pa.bool_()),
            "day": some(random.integers(0, 9, N).tolist(), pa.date32()),
            "large": some([2**60 + int(i) for i in random.integers(0, 3, N)], pa.int64()),
        }
    )


@pytest.fixture(scope="session")
def masks(attributes: pa.Table) -> Masks:
    return Masks(attributes.column_names, lambda name: attributes[name])


@pytest.fixture
def build(uri: str, vectors: np.ndarray, attributes: pa.Table) -> Iterator[Callable[..., Milvus]]:
    """``build(n)``: an index of the first n, on the server, that goes with the test."""
    made: list[Milvus] = []

    def make(n: int = N, **settings: Any) -> Milvus:
        made.append(Milvus(SPACE, uri, "tests", **{"scan_below": 0, "filter_below": 1.0} | settings))
        made[-1].build(vectors[:n], attributes.slice(0, n))
        return made[-1]

    yield make
    for index in made:
        index.drop()


@pytest.fixture(scope="session")
def index(uri: str, vectors: np.ndarray, attributes: pa.Table) -> Iterator[Milvus]:
    """An index of all, which no test changes."""
    index = Milvus(SPACE, uri, "tests", scan_below=0, filter_below=1.0)
    index.build(vectors, attributes)
    yield index
    index.drop()
