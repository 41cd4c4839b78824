"""Fixtures that every room may use: small pictures made on the spot, and the open data sets where they are present."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # read as torch is imported: threads on a busy machine wait for each other

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from nitari import catalog
from nitari.artifact import Artifact, publish
from nitari.collection import Collection
from nitari.space import Metric, Space, unit
from nitari.steps.ingest import ingest

MakePictures = Callable[..., list[Path]]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """``shared/data`` beside the repository: real pictures with labels; see its README."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the open data sets (../shared/data) are not on this machine")
    return path


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The address of an S3 that moto plays on loopback; skipped without the extra ``remote`` and moto."""
    for module in ("fsspec", "s3fs", "moto.server"):
        pytest.importorskip(module, exc_type=ImportError)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """``s3://…`` of an empty bucket, with the environment that leads to it."""
    import s3fs

    environment = {"AWS_ENDPOINT_URL": object_store, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in (environment | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{secrets.token_hex(4)}"
    s3fs.S3FileSystem(use_listings_cache=False).mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def make_pictures() -> MakePictures:
    """``make_pictures(folder, n, seed=0, size=(160, 120))`` writes n different JPEG and PNG pictures; returns their paths.

    Every third is a PNG. Sizes vary around ``size``; colours, shapes and noise follow from the seed, so that each
    picture differs from the others and looks like its own distorted copies.
    """

    def make(folder: Path, n: int, seed: int = 0, size: tuple[int, int] = (160, 120)) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(seed)
        paths = []
        for i in range(n):
            width, height = (int(side * random.uniform(0.7, 1.3)) + 1 for side in size)
            corners = random.integers(0, 256, (2, 2, 3)).astype(np.uint8)
            picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
            draw = ImageDraw.Draw(picture)
            for _ in range(6):
                x, y = random.integers(0, width), random.integers(0, height)
                w, h = random.integers(4, width // 2 + 5), random.integers(4, height // 2 + 5)
                shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
                shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(int(v) for v in random.integers(0, 256, 3)))
            path = folder / f"picture-{i:04d}.{'png' if i % 3 == 2 else 'jpg'}"
            picture.save(path, **({} if path.suffix == ".png" else {"quality": 90}))
            paths.append(path)
        return paths

    return make


@pytest.fixture(scope="session")
def catalog_of() -> Callable[[Collection, int], Artifact]:
    """``catalog_of(collection, n)`` publishes a catalog of n ready items without pictures, in four categories c0 to c3."""

    def make(collection: Collection, n: int) -> Artifact:
        config = {"sizes": [96], "background": [255, 255, 255], "quality": 92}
        work, folder = collection.work("thumbnails", {"n": n}), collection.folder("thumbnails")
        thumbnails = publish(work, folder, "thumbnails", config=config, info={"sizes": [96]})
        rows: dict[str, list[Any]] = {name: [None] * n for name in catalog.SCHEMA.names}
        rows |= {"item_id": [f"{i:016x}" for i in range(n)], "status": ["ready"] * n}
        rows |= {"file_name": [f"{i}.jpg" for i in range(n)], "sha256": [f"{i:064x}" for i in range(n)]}
        table = pa.table(rows, schema=catalog.SCHEMA)
        table = table.append_column("category", pa.array([f"c{i % 4}" for i in range(n)]))
        work = collection.work("catalog", {"n": n})
        pq.write_table(table, work / catalog.FILE)
        parents, counts = {"thumbnails": thumbnails}, catalog.counts(table)
        config |= {"limits": {}}
        return publish(work, collection.folder("catalog"), "catalog", parents=parents, counts=counts, config=config)

    return make


@pytest.fixture(scope="session")
def space_of() -> Callable[..., Artifact]:
    """``space_of(collection, catalog, name, …)`` publishes embeddings of random vectors, equal in the rows ``same``."""

    def make(
        collection: Collection,
        catalog: Artifact,
        name: str,
        dim: int = 16,
        metric: Metric = "cosine",
        seed: int = 0,
        same: Sequence[int] = (),
    ) -> Artifact:
        n = catalog.manifest.counts["ready"]
        vectors = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
        vectors[list(same)] = vectors[list(same[:1])]
        work = collection.work("embeddings", {"name": name})
        np.save(work / "vectors.npy", unit(vectors) if metric == "cosine" else vectors)
        return publish(
            work,
            collection.folder("embeddings", name),
            "embeddings",
            parents={"catalog": catalog},
            counts={"vectors": n},
            info={"space": Space(name, metric, dim).to_dict(), "extractor": {}, "postprocess": False},
        )

    return make


@pytest.fixture(scope="session")
def ingest_folder() -> Callable[..., Artifact]:
    """``ingest_folder(collection, folder, columns=None, sizes=(96,))`` ingests a folder's pictures; returns the catalog.

    ``columns(file_name)`` gives the values of extra columns, the same names for every file.
    """

    def make(
        collection: Collection,
        folder: Path,
        columns: Callable[[str], dict[str, Any]] | None = None,
        sizes: tuple[int, ...] = (96,),
    ) -> Artifact:
        rows = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name, stat = path.relative_to(folder).as_posix(), path.stat()
            rows.append(
                {
                    "item_id": hashlib.sha256(name.encode()).hexdigest()[:16],
                    "file_name": name,
                    "location": str(path),
                    "offset": -1,
                    "size_bytes": stat.st_size,
                    "fingerprint": f"{stat.st_mtime_ns}/{stat.st_size}",
                    **(columns(name) if columns else {}),
                }
            )
        listing = pa.Table.from_pylist(rows)
        for name in ("reason", "message"):
            listing = listing.append_column(name, pa.nulls(len(rows), pa.string()))
        return ingest(collection, listing, source_name="folder", sizes=sizes, workers=1)

    return make


@pytest.fixture(scope="session")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of torchvision's resnet18, 10 classes, untrained."""
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from safetensors.torch import save_file
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp("weights") / "resnet.safetensors"
        save_file(resnet18(num_classes=10).state_dict(), path)
    return path
