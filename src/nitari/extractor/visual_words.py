"""Visual words: which kinds of small regions a picture has, wherever they are. Finds parts, and pictures inside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nitari.artifact import Artifact, open_artifact
from nitari.errors import ConfigError
from nitari.extractor.postprocess import PostProcess
from nitari.images.local import mirrored, opencv, sift
from nitari.images.shrink import shrink
from nitari.space import Space, unit

WORDS = "words.safetensors"
DESCRIPTORS = "descriptors.safetensors"


@dataclass(frozen=True)
class Training:
    """How a vocabulary is made: ``words`` of ``dim`` numbers, from ``sample`` features of each of ``max_items`` training
    pictures. Features are the ``most`` strongest of the picture shrunk to each of ``sides``, in pixels: a large one for parts,
    and a small one beside it, whose features outlive a blur and are outnumbered otherwise.
    """

    words: int = 32
    dim: int = 64
    sides: Sequence[int] = (96, 256)
    most: int = 400
    sample: int = 100
    max_items: int = 1000

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", sorted(int(side) for side in self.sides))  # a list, as manifests have it
        for name, value in asdict(self).items():
            if (min(value, default=0) if name == "sides" else value) < 1:
                raise ConfigError(f"extractor.training.{name} is {value}. Give a number from 1")
        if self.dim > 128:
            raise ConfigError(f"extractor.training.dim is {self.dim}. A descriptor has 128 numbers, keep some of them")

    def describe(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (n, 128) float32, unit norm; n is at most ``most`` for each of ``sides``."""
        return np.concatenate([sift(shrink(image, side), self.most).descriptors for side in self.sides])


class VisualWordsExtractor:
    """VLAD: Jégou et al., "Aggregating local descriptors into a compact image representation" (CVPR 2010). Of each word, the
    sum of how the picture's RootSIFT descriptors, reduced by PCA, differ from it; signed square roots, and unit length
    a word, which is called intra-normalisation: Arandjelović and Zisserman, "All about VLAD" (CVPR 2013).

    ``path`` is a published vocabulary's directory, checked before it is loaded; ``nitari extract`` finds or makes the one
    that ``training`` asks for. ``mirror`` adds the descriptors of the mirrored picture, which are permutations of these.
    A picture in which nothing stands out has the zero vector.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        name: str = "visual_words",
        *,
        mirror: bool = True,
        training: Mapping[str, Any] | None = None,
        postprocess: Mapping[str, Any] | None = None,
    ) -> None:
        if path is None:
            raise ConfigError(
                "extractor.path has no value: it is the directory of a vocabulary. "
                "Make one with: nitari extract collection=… extractor=visual_words"
            )
        opencv()
        self.artifact: Artifact = open_artifact(Path(path), "vocabulary")
        made = dict(self.artifact.manifest.config)
        made.pop("seed")
        if training is not None and Training(**training) != Training(**made):
            raise ConfigError(
                f"Vocabulary '{self.artifact.id}' was made with extractor.training={made}, not {dict(training)}. "
                "Leave one of extractor.path and extractor.training out"
            )
        self.name = name
        self.mirror = mirror
        self.postprocess = postprocess
        self.training = Training(**made)
        self.side = max(self.training.sides)
        self.reduce = PostProcess.load(self.artifact.file(DESCRIPTORS, full=True))
        self.words = load_words(self.artifact.file(WORDS, full=True))
        self.space = Space(name, "cosine", self.words.size, "float32")

    @property
    def spec(self) -> dict[str, Any]:
        """Names the vocabulary by its id: where vocabularies lie is the collection's to say (``extractor.create``)."""
        return {
            "_target_": "nitari.extractor.visual_words.VisualWordsExtractor",
            "vocabulary": self.artifact.id,
            "name": self.name,
            "mirror": self.mirror,
        }

    def extract(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures, (H, W, 3) uint8 RGB -> (n, words x dim) float32, unit norm or zero."""
        vectors = np.zeros((len(images), self.space.dim), np.float32)
        for vector, image in zip(vectors, images, strict=True):
            descriptors = self.training.describe(image)
            if len(descriptors):
                if self.mirror:
                    descriptors = np.concatenate([descriptors, mirrored(descriptors)])
                vector[:] = vlad(self.reduce(descriptors), self.words)
        return vectors


def vlad(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """(n, d) descriptors and (k, d) words, float32 -> (k x d,) float32 of unit norm, or zero where nothing differs."""
    nearest = (descriptors @ words.T - 0.5 * np.einsum("kd,kd->k", words, words)).argmax(axis=1)
    member = (nearest == np.arange(len(words))[:, None]).astype(np.float32)  # (k, n)
    residuals = member @ descriptors - member.sum(axis=1, keepdims=True) * words
    return unit(unit(np.sign(residuals) * np.sqrt(np.abs(residuals))).reshape(1, -1))[0]


def save_words(words: np.ndarray, path: Path) -> None:
    """(k, d) float32."""
    from safetensors.numpy import save_file

    save_file({"words": np.ascontiguousarray(words)}, path)


def load_words(path: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    return load_file(path)["words"]
