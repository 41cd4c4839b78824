"""Any torchvision data set by name, written once into a tar shard and listed from there."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from nitari.errors import MissingExtraError, SourceError
from nitari.source.tar import TarSource

_SCALARS = (bool, int, float, str)


class TorchvisionSource:
    """``name`` is a class of ``torchvision.datasets``; its pictures get a column ``label`` (and ``split``).

    ``splits`` are the values of its argument ``split`` (or ``train``: 'train' and 'test'), one after the other; without
    them the data set's default is taken. ``arguments`` are its other arguments. It is downloaded into ``folder``/data
    (or read from ``data``), and written to ``folder``: original files where the data set names them, else PNG.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        data: str | None = None,
        splits: Sequence[str] | None = None,
        arguments: Mapping[str, Any] | None = None,
        download: bool = True,
    ) -> None:
        self.name = name
        self.folder = Path(folder).expanduser()
        self.data = Path(data).expanduser() if data else self.folder / "data"
        self.splits = list(splits or ())
        self.arguments = dict(arguments or {})
        self.download = download

    @property
    def about(self) -> dict[str, Any]:
        return {"kind": "torchvision", "dataset": self.name, "splits": self.splits, "arguments": self.arguments}

    def listing(self) -> pa.Table:
        key = json.dumps([self.about, str(self.data.resolve())], sort_keys=True, default=str)
        tar = self.folder / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.tar"
        if not tar.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            aside = tar.with_suffix(".tmp")
            with tarfile.open(aside, "w") as archive:
                splits: list[str | None] = [*self.splits] or [None]
                for split in splits:
                    self._write(archive, self._open(split), split)
            aside.replace(tar)
        return TarSource(str(tar), self.name).listing()

    def _open(self, split: str | None) -> Any:
        try:
            from torchvision import datasets
        except ImportError:
            raise MissingExtraError("torchvision", "train") from None
        kind = getattr(datasets, self.name, None)
        if not (inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset)):
            known = ", ".join(n for n in datasets.__all__ if inspect.isclass(getattr(datasets, n)))
            raise SourceError(f"torchvision has no data set '{self.name}'. It has: {known}")
        takes = inspect.signature(kind).parameters
        arguments = dict(self.arguments)
        if "root" in takes:
            arguments.setdefault("root", str(self.data))
        if "download" in takes:
            arguments.setdefault("download", self.download)
        if split is not None:
            if "split" in takes:
                arguments["split"] = split
            elif "train" in takes and split in ("train", "test"):
                arguments["train"] = split == "train"
            else:
                raise SourceError(f"The data set '{self.name}' has no split '{split}'. Leave source.splits out")
        try:
            return kind(**arguments)
        except (RuntimeError, OSError, TypeError, ValueError) as error:
            raise SourceError(f"The data set '{self.name}' cannot be opened with {arguments}: {error}") from error

    def _write(self, archive: tarfile.TarFile, dataset: Any, split: str | None) -> None:
        paths = _paths(dataset)
        for i, (data, suffix, target) in enumerate(_items(dataset, paths)):
            attributes = {**_label(dataset, target), **({"split": split} if split else {})}
            stem = f"{split or 'all'}/{i:08d}"
            _add(archive, f"{stem}.{suffix}", data)
            _add(archive, f"{stem}.json", json.dumps(attributes).encode())


def _paths(dataset: Any) -> list[Path] | None:
    """The original files in the data set's order, where it keeps them in one of the usual attributes."""
    for name in ("samples", "imgs", "_samples", "_image_files", "_images", "images"):
        found = getattr(dataset, name, None)
        if isinstance(found, list) and len(found) == len(dataset) and found:
            paths = [Path(str(entry[0] if isinstance(entry, tuple) else entry)) for entry in found]
            if all(path.is_file() for path in paths[:3]):
                return paths
    return None


def _items(dataset: Any, paths: list[Path] | None) -> Iterator[tuple[bytes, str, Any]]:
    for i in range(len(dataset)):
        picture, target = dataset[i][:2]
        if paths is not None:
            yield paths[i].read_bytes(), paths[i].suffix.lstrip(".").lower() or "jpg", target
            continue
        if not isinstance(picture, Image.Image):
            raise SourceError(f"The data set '{type(dataset).__name__}' gives {type(picture).__name__}, not pictures")
        file = io.BytesIO()
        picture.save(file, "PNG")
        yield file.getvalue(), "png", target


def _label(dataset: Any, target: Any) -> dict[str, Any]:
    if hasattr(target, "item") and getattr(target, "ndim", 0) == 0:
        target = target.item()
    if not isinstance(target, _SCALARS):
        return {}
    classes = getattr(dataset, "classes", None)
    if isinstance(target, int) and isinstance(classes, list | tuple) and 0 <= target < len(classes):
        named = classes[target]
        return {"label": "/".join(named) if isinstance(named, tuple) else str(named)}
    return {"label": target}


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
