"""A remote table: one collection of a Milvus server, or of milvus-lite in this process, and all that is asked of it."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import numpy as np

from nitari.errors import ArtifactError, ConfigError, MissingExtraError
from nitari.index.expressions import Stored
from nitari.space import Space, unit

if TYPE_CHECKING:
    import pyarrow as pa

URI, TOKEN = "NITARI_MILVUS_URI", "NITARI_MILVUS_TOKEN"
"""Environment variables: where the server is, and what it lets one in with. The latter is never written anywhere."""
MOST = 8192
"""Results that are asked of a server for one query, at most: its own limit is 16,384."""
ROW, VECTOR = "row", "vector"
_METRICS = {"cosine": "COSINE", "l2": "L2", "hamming": "HAMMING"}
_PATIENCE = 10.0  # seconds that a server may take to answer a search or to take rows
_RETURN = 120.0  # and to be ready after it started: until then it refuses, or does not answer
_SLOW = 600.0  # and to make a graph of what it holds
_BATCH_BYTES = 8 << 20  # sent at once: servers take 64 MB
_QUERIES = 256  # asked at once
_PAGE = 8192  # rows read at once
_KINDS = {"integer": "INT64", "double": "DOUBLE", "single": "DOUBLE", "boolean": "BOOL", "text": "VARCHAR"}
_T = TypeVar("_T")


def check_uri(uri: str | None) -> str | None:
    """Raise ConfigError on what is no address, and on one with a password in it: artifacts keep it."""
    if uri is None or uri.endswith(".db"):
        return uri
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https", "tcp", "unix"):
        raise ConfigError(f"uri is '{uri}'. Give http://host:19530, or a file that ends in .db for milvus-lite")
    if parts.username or parts.password:
        raise ConfigError(f"uri holds a name or password of '{parts.hostname}'. Give those in the variable {TOKEN}")
    return uri


def check_installed(uri: str | None) -> None:
    """Raise MissingExtraError where a package that ``uri`` needs is not there."""
    lite = uri is None or uri.endswith(".db")
    for package in ("pymilvus", "milvus_lite") if lite else ("pymilvus",):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package.replace("_", "-"), "milvus")


def alias(collection: str | None, space: str) -> str:
    """What names the current collection of a space: letters, digits and underscores, as servers want it."""
    return "_".join(["nitari", *(re.sub(r"\W", "_", name, flags=re.ASCII) for name in (collection or "any", space))])


def place(parameters: Mapping[str, Any]) -> str | None:
    """Where the server of a saved index is now; None where a milvus-lite is in the artifact."""
    return (os.environ.get(URI) or str(parameters["uri"])) if parameters["uri"] else None


def new_name(collection: str | None, space: str) -> str:
    """Of a collection; no other build has it."""
    return f"{alias(collection, space)}_{secrets.token_hex(8)}"


class Table:
    """Rows (int64) with their vectors and the values of ``columns``. Thread-safe. ``uri``: http://…, or a file \\*.db."""

    def __init__(self, uri: str, name: str, space: Space, columns: Sequence[Stored]) -> None:
        self.uri = uri
        self.name = name
        self.space = space
        self.columns = columns
        self.lite = uri.endswith(".db")
        self.graph = not self.lite and space.metric != "hamming"  # else every vector is compared
        self._pymilvus, self._rpc_error = _import()
        self._client = self._connect()

    def create(self, rows: np.ndarray, vectors: Any, cells: pa.Table, graph: Mapping[str, Any]) -> None:
        """Make the collection of (n,) rows, their (n, width) vectors and (n,) ``cells`` by field, indexed and ready."""
        kinds, client = self._pymilvus.DataType, self._client
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(ROW, kinds.INT64, is_primary=True)
        binary = self.space.metric == "hamming"
        schema.add_field(VECTOR, kinds.BINARY_VECTOR if binary else kinds.FLOAT_VECTOR, dim=self.space.dim)
        for column in self.columns:
            more = {"max_length": 65_535} if column.kind == "text" else {}
            schema.add_field(column.field, getattr(kinds, _KINDS[column.kind]), **more)
            schema.add_field(column.null, kinds.BOOL)
        self._asked(lambda: client.create_collection(self.name, schema=schema, timeout=_PATIENCE))
        for batch in self._batches(rows, vectors, cells):
            self._asked(lambda batch=batch: client.insert(self.name, batch, timeout=_SLOW))  # type: ignore[misc]
        indexed = client.prepare_index_params()
        kind = "HNSW" if self.graph else "BIN_FLAT" if binary else "FLAT"
        indexed.add_index(
            VECTOR,
            index_type=kind,
            metric_type=_METRICS[self.space.metric],
            params=dict(graph) if kind == "HNSW" else {},
        )
        self._asked(lambda: client.flush(self.name, timeout=_SLOW))
        self._asked(lambda: client.create_index(self.name, indexed, timeout=_SLOW))
        self.open()

    def open(self) -> None:
        """Have the server take the collection into memory; ArtifactError where it has none of this name."""
        if not self._again(lambda: self._client.has_collection(self.name, timeout=_PATIENCE), _RETURN):
            raise ArtifactError(
                f"Milvus at '{self.uri}' has no collection '{self.name}', which the index of space '{self.space.name}' "
                f"is. Name the server that has it in {URI}, or build it again: nitari build collection=…"
            )
        self._again(lambda: self._client.load_collection(self.name, timeout=_SLOW), _RETURN)

    def search(self, queries: np.ndarray, fetch: int, ef: int, where: str) -> list[np.ndarray]:
        """(q, width) -> up to ``fetch`` rows each, nearest first as the server sees it; ``where`` an expression, or ''."""
        found: list[np.ndarray] = []
        parameters = {"metric_type": _METRICS[self.space.metric], "params": {"ef": max(ef, fetch)}}
        for start in range(0, len(queries), _QUERIES):
            asked = self._wire(queries[start : start + _QUERIES])
            hits = self._again(
                lambda asked=asked: self._client.search(  # type: ignore[misc]
                    self.name,
                    data=asked,
                    anns_field=VECTOR,
                    limit=fetch,
                    filter=where,
                    search_params=parameters,
                    consistency_level="Eventually",  # what was built is there; what came later is known here
                    timeout=_PATIENCE,
                )
            )
            found += [np.array(one.ids, np.int64) for one in hits]
        return found

    def count(self, where: str) -> int:
        return int(self._query(where, ["count(*)"])[0]["count(*)"])

    def rows(self, low: int, high: int, vectors: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(m,) rows from ``low`` to below ``high``, ascending, and their (m, width) vectors, or (0, width) without."""
        where = f"{ROW} >= {low} and {ROW} < {high}"
        count = self.count(where)
        if count > _PAGE:
            middle = (low + high) // 2
            parts = self.rows(low, middle, vectors), self.rows(middle, high, vectors)
            return np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts])
        found = self._query(where, [ROW, VECTOR] if vectors else [ROW]) if count else []
        return self._sorted(found)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) of some rows those that are there, ascending, and their (m, width) vectors."""
        return self._sorted(self._query(f"{ROW} in {rows.tolist()}", [ROW, VECTOR]) if len(rows) else [])

    def upsert(self, rows: np.ndarray, vectors: np.ndarray, cells: pa.Table) -> None:
        """Acknowledged by the server when this returns."""
        for batch in self._batches(rows, vectors, cells):
            self._again(lambda batch=batch: self._client.upsert(self.name, batch, timeout=_PATIENCE))  # type: ignore[misc]

    def delete(self, rows: np.ndarray) -> None:
        self._again(lambda: self._client.delete(self.name, ids=rows.tolist(), timeout=_PATIENCE))

    def point(self, alias: str) -> None:
        """Make ``alias`` name this collection, whichever it named before, in one step."""
        try:
            self._client.alter_alias(self.name, alias, timeout=_PATIENCE)
        except self._pymilvus.MilvusException:  # there is none yet
            self._asked(lambda: self._client.create_alias(self.name, alias, timeout=_PATIENCE))

    def drop(self) -> None:
        """Delete the collection, and whatever alias names it; nothing where it is gone."""
        client = self._client
        if not self._again(lambda: client.has_collection(self.name, timeout=_PATIENCE)):
            return
        for alias in self._asked(lambda: client.list_aliases(self.name, timeout=_PATIENCE)).get("aliases", []):
            self._asked(lambda alias=alias: client.drop_alias(alias, timeout=_PATIENCE))  # type: ignore[misc]
        self._asked(lambda: client.drop_collection(self.name, timeout=_SLOW))

    def close(self) -> None:
        """Leave the server; one of milvus-lite ends."""
        self._client.close()
        if self.lite:
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(self.uri)

    def _query(self, where: str, fields: list[str]) -> list[dict[str, Any]]:
        return list(
            self._again(
                lambda: self._client.query(
                    self.name, filter=where, output_fields=fields, consistency_level="Strong", timeout=_RETURN / 4
                ),
                _RETURN,
            )
        )

    def _batches(self, rows: np.ndarray, vectors: Any, cells: pa.Table) -> Iterator[list[dict[str, Any]]]:
        size = max(1, _BATCH_BYTES // (4 * self.space.width + 64 * cells.num_columns + 16))
        for start in range(0, len(rows), size):
            here = slice(start, start + size)
            wired = self._wire(np.asarray(vectors[here]))
            part = [{ROW: row, VECTOR: vector} for row, vector in zip(rows[here].tolist(), wired, strict=True)]
            for field, values in cells.slice(start, size).to_pydict().items():
                for one, value in zip(part, values, strict=True):
                    one[field] = value
            yield part

    def _wire(self, vectors: np.ndarray) -> list[Any]:
        """(n, width) vectors as the client sends them."""
        if self.space.metric == "hamming":
            return [vector.tobytes() for vector in vectors]
        block = np.ascontiguousarray(vectors, np.float32)
        return list(unit(block) if self.space.metric == "cosine" else block)

    def _sorted(self, found: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        binary = self.space.metric == "hamming"
        found = sorted(found, key=lambda one: int(one[ROW]))
        vectors = [one[VECTOR] for one in found if VECTOR in one]
        if binary:
            vectors = [np.frombuffer(one[0] if isinstance(one, list) else one, np.uint8) for one in vectors]
        rows = np.array([int(one[ROW]) for one in found], np.int64)
        return rows, np.array(vectors, np.uint8 if binary else np.float32).reshape(-1, self.space.width)

    def _connect(self) -> Any:
        """A server that is started here, for this, may take long to answer beside other work."""
        return self._again(
            lambda: self._pymilvus.MilvusClient(
                uri=self.uri, token="" if self.lite else os.environ.get(TOKEN, ""), timeout=_PATIENCE
            ),
            _RETURN if self.lite else 0.0,
        )

    def _again(self, ask: Callable[[], _T], patience: float | None = None) -> _T:
        """As ``_asked``, of what may be asked twice, until it is done or ``patience`` seconds are over."""
        last = time.monotonic() + (_PATIENCE if patience is None else patience)
        while True:
            try:
                return self._asked(ask)
            except ArtifactError:
                if time.monotonic() > last:
                    raise
                time.sleep(0.25)

    def _asked(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except (self._pymilvus.MilvusException, self._rpc_error, OSError, ValueError) as error:
            raise ArtifactError(
                f"Milvus at '{self.uri}' did not do what the index of space '{self.space.name}' asked: "
                f"{str(error)[:300]}. See that it runs and can be reached, or name another one in {URI}; {TOKEN} is what "
                "it lets one in with"
            ) from None


def _import() -> tuple[Any, type[Exception]]:
    check_installed("http:")
    import grpc
    import pymilvus

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it writes a traceback a try; what fails is raised here
    return pymilvus, grpc.RpcError  # of a call that took too long: it is let through
