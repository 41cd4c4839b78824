"""One shard of ingest: read, hash, decode once, shrink, encode, write. Runs in a worker process."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from nitari.catalog import READY, UNREADABLE
from nitari.errors import PictureError
from nitari.executor import Beat
from nitari.files import sync
from nitari.images.decode import Limits, decode
from nitari.images.original import read_original
from nitari.images.shrink import pyramid
from nitari.reasons import REASONS
from nitari.thumbnails import ShardWriter, encode

# What a worker is told of each item.
TODO_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("location", pa.string()),
        ("offset", pa.int64()),
        ("size_bytes", pa.int64()),
        ("fingerprint", pa.string()),
    ]
)
# What it finds out, as far as the catalog keeps it.
FOUND_SCHEMA = pa.schema(
    [
        ("status", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("md5", pa.string()),
        ("sha256", pa.string()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("frames", pa.int32()),
        ("orientation", pa.int8()),
    ]
)


def part_schema(sizes: list[int]) -> pa.Schema:
    """One row an item: the key, what was found, and for each size where its thumbnail lies."""
    places = [
        field
        for size in sizes
        for field in (
            pa.field(f"shard_{size}", pa.string()),
            pa.field(f"offset_{size}", pa.int64()),
            pa.field(f"size_{size}", pa.int32()),
            pa.field(f"crc32_{size}", pa.uint32()),
        )
    ]
    return pa.schema([("item_id", pa.string()), ("fingerprint", pa.string()), *FOUND_SCHEMA, *places])


def work(payload: dict[str, Any], beat: Beat, blamed: dict[int, str]) -> dict[str, Any]:
    """Write ``<size>/<name>.tar`` and then, as the mark that all is there, ``parts/<name>.parquet`` under ``work``."""
    limits = Limits(**payload["limits"])
    Image.MAX_IMAGE_PIXELS = int(min(limits.max_pixels, 2**62))  # Pillow's own check, within frames and tiles
    folder, name, sizes = Path(payload["work"]), payload["name"], payload["sizes"]
    with pa.memory_map(payload["todo"]) as source:
        todo = pa.ipc.open_file(source).read_all()[payload["start"] : payload["stop"]]
    columns = [todo.column(column).to_pylist() for column in ("item_id", "location", "offset", "size_bytes")]
    shards = {size: f"{size}/{name}.tar" for size in sizes}
    writers = {size: ShardWriter(folder / shard) for size, shard in shards.items()}
    rows: dict[str, list[Any]] = defaultdict(list)
    options = payload["background"], payload["quality"]
    fields = schema_names(sizes)
    for step, (item_id, location, offset, size_bytes) in enumerate(zip(*columns, strict=True)):
        beat(step)
        found: dict[str, Any] = {}
        try:
            if step in blamed:
                raise PictureError(blamed[step], f"It was given up: {REASONS[blamed[step]]}")
            _one(found, item_id, location, offset, size_bytes, limits, writers, *options)
        except PictureError as error:
            found |= {"status": UNREADABLE, "reason": error.reason, "message": str(error)[:300]}
        for field in fields:
            rows[field].append(found.get(field))
    beat(-1)
    for size, writer in writers.items():
        writer.close()
        rows[f"shard_{size}"] = [shards[size] if at is not None else None for at in rows[f"offset_{size}"]]
    table = pa.table({**rows, "item_id": columns[0], "fingerprint": todo.column("fingerprint")})
    part = folder / "parts" / f"{name}.parquet"
    aside = part.with_suffix(f".{secrets.token_hex(4)}.tmp")  # a lost worker may be at it still
    pq.write_table(table.select(part_schema(sizes).names).cast(part_schema(sizes)), aside)
    sync(aside)
    aside.replace(part)
    return {"items": len(todo)}


def schema_names(sizes: list[int]) -> list[str]:
    return [name for name in part_schema(sizes).names if name not in ("item_id", "fingerprint")]


def _one(
    found: dict[str, Any],
    item_id: str,
    location: str,
    offset: int,
    size_bytes: int,
    limits: Limits,
    writers: dict[int, ShardWriter],
    background: tuple[int, int, int],
    quality: int,
) -> None:
    """Fills ``found`` as far as it comes; raises PictureError."""
    if size_bytes > limits.max_bytes:
        raise PictureError("too_many_bytes", f"{size_bytes / 1e6:.1f} MB, more than {limits.max_bytes / 1e6:g} MB")
    data = read_original(location, offset, size_bytes, int(min(limits.max_bytes, 2**62)))
    if len(data) > limits.max_bytes:
        raise PictureError("too_many_bytes", f"It has grown to more than {limits.max_bytes / 1e6:g} MB")
    found["md5"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
    found["sha256"] = hashlib.sha256(data).hexdigest()
    decoded = decode(data, limits, side=max(writers), background=background)
    for size, pixels in pyramid(decoded.pixels, list(writers)).items():
        place = writers[size].add(item_id, encode(pixels, quality))
        found[f"offset_{size}"], found[f"size_{size}"], found[f"crc32_{size}"] = place
    found |= {
        "status": READY,
        "format": decoded.format,
        "mode": decoded.mode,
        "width": decoded.width,
        "height": decoded.height,
        "frames": decoded.frames,
        "orientation": decoded.orientation,
    }
