"""The workshop's own process: reads pictures, encodes them, and takes new ones into the collection."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from nitari.collection import Collection
from nitari.errors import NitariError, PictureError, QueryError
from nitari.images.decode import Limits, decode
from nitari.startup import die_with, without_pandas
from nitari.steps.picture_encoder import PictureEncoder

from .uploads import Uploads
from .workshop import FRAME

_RELEASES = 2  # whose encoders are kept open


class Hand:
    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._encoders: dict[str, PictureEncoder] = {}

    def __call__(self, head: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            if head["do"] == "append":
                return {"appended": Uploads(self.collection).append(head["files"])}, b""
            return self._encode(head, data)
        except PictureError as error:
            return {"error": "picture", "reason": error.reason, "message": str(error)}, b""
        except QueryError as error:
            return {"error": "query", "message": str(error)}, b""
        except NitariError as error:
            return {"error": "nitari", "message": str(error)}, b""
        except Exception:
            return {"error": "broken", "message": traceback.format_exc()}, b""

    def _encode(self, head: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        encoder = self._encoder(head["release"])
        picture: np.ndarray | bytes = data
        if head["box"] is not None:
            pictures = encoder.pictures
            limits = Limits.none() if head["known"] else pictures.limits
            picture = cut(decode(data, limits, background=pictures.background).pixels, head["box"])
        vectors = [(space, encoder(space, [picture])[0]) for space in head["spaces"]]
        about = [(space, vector.dtype.name, len(vector)) for space, vector in vectors]
        return {"vectors": about}, b"".join(vector.tobytes() for _, vector in vectors)

    def _encoder(self, release: str) -> PictureEncoder:
        if release not in self._encoders:
            while len(self._encoders) >= _RELEASES:
                del self._encoders[next(iter(self._encoders))]
            self._encoders[release] = PictureEncoder(self.collection, self.collection.release(release))
        return self._encoders[release]


def cut(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The part of (H, W, 3) between the fractions (left, top, right, bottom), at least a pixel each way."""
    height, width = pixels.shape[:2]
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    right, bottom = max(round(box[2] * width), left + 1), max(round(box[3] * height), top + 1)
    return pixels[top:bottom, left:right]


def main(root: str, collection: str, parent: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(int(parent))
    source, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    without_pandas()
    hand = Hand(Collection(Path(root), collection))
    out.write(b"+")
    out.flush()
    while frame := source.read(FRAME.size):
        sizes = FRAME.unpack(frame)
        answer, data = hand(orjson.loads(source.read(sizes[0])), source.read(sizes[1]))
        _write(out, answer, data)


def _write(out: IO[bytes], answer: Mapping[str, Any], data: bytes) -> None:
    text = orjson.dumps(answer)
    out.write(FRAME.pack(len(text), len(data)) + text + data)
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
