"""Encoders in MLflow's model registry: the ONNX flavour, and beside it the published encoder with its checksums."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from nitari.artifact import Artifact, open_artifact
from nitari.errors import ArtifactError
from nitari.extractor.encoder import ONNX, EncoderExtractor

from .tracking import Run, client, quiet

ALIAS = "newest"  # MLflow keeps "latest" to itself
REQUIREMENTS = ["onnx", "onnxruntime", "numpy"]


def register(run: Run, artifact: Artifact, name: str, alias: str = ALIAS) -> str | None:
    """Register a published ``encoder`` under ``name``, point ``alias`` at it, and return its version.

    MLflow's PyTorch and Python flavours pickle, so only the ONNX one is written. The published directory lies beside it
    as ``encoder/<id>``: ``load`` opens that one, checksums, resizing, post-processing and all.
    """
    if run.uri is None or run.run_id is None:
        return None
    store = client(run.uri)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import mlflow.onnx
        import onnx

        path = Path(folder) / "model"
        side = int(artifact.manifest.info["side"])
        mlflow.onnx.save_model(
            onnx.load(str(artifact.file(ONNX, full=True))),
            str(path),
            pip_requirements=REQUIREMENTS,
            input_example=np.zeros((1, side, side, 3), np.uint8),
            metadata={"encoder": artifact.id, "digest": artifact.manifest.digest},
        )
        store.log_artifacts(run.run_id, str(path), "model")
        store.log_artifacts(run.run_id, str(artifact.path), f"model/encoder/{artifact.id}")
        return _version(store, run.run_id, artifact, name, alias)


def load(uri: str, name: str, alias_or_version: str | int = ALIAS, folder: Path | None = None) -> EncoderExtractor:
    """A registered encoder, with its resizing and post-processing: the same vectors as in its collection.

    ``folder`` keeps what is downloaded from a remote store; None makes a temporary one. Raises ArtifactError when there
    is no such version, DamagedArtifactError when its files are not what was registered.
    """
    store = client(uri)
    asked = str(alias_or_version)
    with quiet():
        from mlflow.exceptions import MlflowException

        try:
            found = (
                store.get_model_version(name, asked)
                if asked.isdigit()
                else store.get_model_version_by_alias(name, asked)
            )
        except MlflowException as error:
            raise ArtifactError(f"'{uri}' has no encoder '{name}' with '{asked}': {error.message}") from None
        destination = str(folder) if folder else tempfile.mkdtemp(prefix="nitari-encoder-")
        encoder = found.tags["encoder"]
        local = store.download_artifacts(found.run_id, f"model/encoder/{encoder}", destination)
    artifact = open_artifact(Path(local), "encoder")
    if artifact.manifest.digest != found.tags["digest"]:
        raise ArtifactError(f"Encoder '{encoder}' of '{name}' is not the one that was registered. Register it again")
    artifact.verify(full=True)
    return EncoderExtractor(local)


def _version(store: Any, run_id: str, artifact: Artifact, name: str, alias: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        store.create_registered_model(
            name, description="Pictures (n, side, side, 3) uint8 to codes; see nitari.train.registry"
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    info = artifact.manifest.info
    source = f"{store.get_run(run_id).info.artifact_uri}/model"
    tags = {"encoder": artifact.id, "digest": artifact.manifest.digest}
    tags |= {key: str(info[key]) for key in ("side", "fit", "mirror", "dim", "out_dim")}
    made = store.create_model_version(name, source, run_id, tags=tags)
    store.set_registered_model_alias(name, alias, made.version)
    return str(made.version)
