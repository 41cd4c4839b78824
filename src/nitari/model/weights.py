"""Weights in local files, read without running what is in them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from nitari.errors import ConfigError


def read(path: Path, setting: str = "weights") -> dict[str, Tensor]:
    """A state dict from ``.safetensors``, or from torch's own format if it holds plain tensors only; ConfigError else, by
    the name of the ``setting`` that has the path.
    """
    if not path.is_file():
        raise ConfigError(f"{setting} is '{path}', which is no file. Give a state dict: a .safetensors or .pth file")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ConfigError(
            f"{setting} is '{path}', which cannot be read as plain tensors: {str(error).splitlines()[0]}. Save it as .safetensors"
        ) from None
