"""The trained encoder as an extractor: resizing, network, mirror average and post-processing. Imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from nitari.artifact import Artifact, open_artifact
from nitari.command import filled
from nitari.errors import ConfigError, DamagedArtifactError, MissingExtraError
from nitari.extractor.companion import Companion, file_of, fuse
from nitari.extractor.postprocess import PostProcess
from nitari.model.canvas import canvas
from nitari.space import DType, Space

ONNX = "encoder.onnx"
WEIGHTS = "weights.safetensors"
POSTPROCESS = "postprocess.safetensors"
FUSED = "fused.safetensors"
RUNTIMES = ("onnx", "torch", "torch-bf16", "auto")


class Runtime(Protocol):
    """(n, side, side, 3) uint8 -> (n, d) float32; thread-safe."""

    def __call__(self, pictures: np.ndarray) -> np.ndarray: ...


class EncoderExtractor:
    """``path`` is a published encoder's directory; every file is checked before it is loaded.

    ``mirror`` averages each code with that of the mirrored picture; None does as the encoder was fitted. ``raw`` leaves
    out the encoder's own post-processing and its companions, so that another one may be fitted. ``follow``: a space made
    by this extractor is renewed with the collection's newest encoder, rather than with this one. ``runtime`` is one of
    ``RUNTIMES``: torch computes in floating point what the ONNX file may have in 8 bits (``int8_cosine`` in the manifest says
    how far they agree), bfloat16 is quicker on processors that have it, and ``auto`` takes torch where it finds a GPU.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        name: str = "encoder",
        *,
        mirror: bool | None = None,
        raw: bool = False,
        follow: bool = False,
        dtype: str = "float32",
        runtime: str = "onnx",
        threads: int = 1,
        batch: int = 64,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if path is None:
            raise ConfigError(
                "extractor.path has no value: it is the directory of an encoder. Make one with: nitari fit"
            )
        self.artifact: Artifact = open_artifact(Path(path), "encoder")
        info = self.artifact.manifest.info
        self.name = name
        self.raw = raw
        self.follow = follow
        self.runtime = runtime
        self.threads = threads
        self.batch = batch
        self.postprocess = postprocess
        self.fit = str(info["fit"])
        self.canvas = int(info["side"])
        self.asked_mirror = mirror
        self.mirror = bool(info["mirror"]) if mirror is None else mirror
        if self.mirror != bool(info["mirror"]) and not raw and POSTPROCESS in self.artifact.manifest.files:
            raise ConfigError(
                f"extractor.mirror is {self.mirror}, but encoder '{self.artifact.id}' was post-processed with "
                f"mirror={info['mirror']}. Leave it out, or give extractor.raw=true and fit another post-processing"
            )
        self._after = None if raw else self._postprocess(POSTPROCESS)
        self._beside = [] if raw else self._companions()
        self._fused = None if raw else self._postprocess(FUSED)
        self.side = max([self.canvas, *(companion.extractor.side for companion in self._beside)])
        dim = int(info["dim"]) if self._after is None else self._after.dim
        dim += sum(companion.dim for companion in self._beside)
        self.space = Space(name, "cosine", dim if self._fused is None else self._fused.dim, cast(DType, dtype))
        self._run = self._load()

    @property
    def spec(self) -> dict[str, Any]:
        """Names the encoder by its id: where encoders lie is the collection's to say (``extractor.create``)."""
        return {
            "_target_": "nitari.extractor.encoder.EncoderExtractor",
            "encoder": self.artifact.id,
            "name": self.name,
            "mirror": self.asked_mirror,
            "raw": self.raw,
            "follow": self.follow,
            "dtype": self.space.dtype,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB of any size -> (n, space.dim), final vectors."""
        vectors = np.empty((len(images), self.space.dim), self.space.dtype)
        for start in range(0, len(images), self.batch):
            part = slice(start, start + self.batch)
            codes = self.codes(canvas(images[part], self.canvas, self.fit))
            codes = codes if self._after is None else self._after(codes)
            if self._beside:
                codes = fuse(codes, [other(images[part]) for other in self._beside])
            vectors[part] = codes if self._fused is None else self._fused(codes)
        return vectors

    def codes(self, pictures: np.ndarray) -> np.ndarray:
        """(n, side, side, 3) uint8 -> (n, d) float32 raw codes, averaged with the mirrored ones where asked."""
        return average(self._run, pictures, self.mirror)

    def _postprocess(self, name: str) -> PostProcess | None:
        return PostProcess.load(self.artifact.file(name)) if name in self.artifact.manifest.files else None

    def _companions(self) -> list[Companion]:
        notes = self.artifact.manifest.info.get("beside", {})
        return [
            Companion.load(name, note, self.artifact.file(file_of(name)) if note["postprocess"] else None)
            for name, note in sorted(notes.items())
        ]

    def _load(self) -> Runtime:
        if self.runtime not in RUNTIMES:
            raise ConfigError(f"extractor.runtime is '{self.runtime}'. Choose one of: {', '.join(RUNTIMES)}")
        if self.runtime.startswith("torch") or (self.runtime == "auto" and find_spec("torch")):
            # Found by name: serving reaches this module, and must not reach torch unless told to.
            torch_runtime = importlib.import_module("nitari.model.runtime")
            if self.runtime != "auto" or torch_runtime.has_gpu():
                return cast(Runtime, torch_runtime.TorchRuntime(self.artifact, bf16=self.runtime == "torch-bf16"))
        try:
            return OnnxRuntime(self.artifact.file(ONNX, full=True), self.threads)
        except DamagedArtifactError as error:
            raise DamagedArtifactError(filled(str(error), self.artifact.home)) from None


class OnnxRuntime:
    """ONNX Runtime on the processor. One session serves any number of threads; each call computes on ``threads``."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", "serve") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class but this
            raise DamagedArtifactError(
                f"ONNX Runtime cannot read '{path}': {error}. Make the encoder again with: nitari fit collection=…"
            ) from None

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"pictures": np.ascontiguousarray(pictures)})[0]


def average(run: Runtime, pictures: np.ndarray, mirror: bool) -> np.ndarray:
    """(n, side, side, 3) uint8 -> (n, d) float32 codes; with ``mirror`` the mean of each and of its mirror image's."""
    if not mirror:
        return run(pictures)
    both = run(np.concatenate([pictures, pictures[:, :, ::-1]]))
    return (both[: len(pictures)] + both[len(pictures) :]) / 2
