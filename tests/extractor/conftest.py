from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from nitari.artifact import publish
from nitari.extractor.postprocess import PostProcess
from nitari.extractor.visual_words import DESCRIPTORS, WORDS, Training, save_words

SIDE, DIM = 8, 12


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published encoder whose network is one random matrix: uint8 (n, 8, 8, 3) -> float32 (n, 12)."""
    onnx = pytest.importorskip("onnx", reason="writing a network needs the extra 'train'")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(size=(SIDE * SIDE * 3, DIM)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pictures"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "scale"], ["scaled"]),
            helper.make_node("Sub", ["scaled", "half"], ["centred"]),
            helper.make_node("Flatten", ["centred"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["code"]),
        ],
        "encoder",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("code", TensorProto.FLOAT, ["n", DIM])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.float32(255), "scale"),
            numpy_helper.from_array(np.float32(0.5), "half"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    root = tmp_path_factory.mktemp("encoder")
    (root / "work").mkdir()
    onnx.save(model, root / "work" / "encoder.onnx")
    info = {"side": SIDE, "fit": "stretch", "mirror": False, "dim": DIM, "model": {}}
    return publish(root / "work", root / "encoders", "encoder", info=info).path


@pytest.fixture(scope="session")
def tiny_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published vocabulary of 4 random words of 8 numbers."""
    random = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("vocabulary")
    (root / "work").mkdir()
    axes = np.linalg.qr(random.normal(size=(128, 8)))[0].astype(np.float32)
    PostProcess(np.full(128, 0.08, np.float32), axes, normalise=False).save(root / "work" / DESCRIPTORS)
    save_words(random.normal(size=(4, 8), scale=0.2).astype(np.float32), root / "work" / WORDS)
    config = {**asdict(Training(words=4, dim=8, sides=[64, 96])), "seed": 0}
    return publish(root / "work", root / "vocabularies", "vocabulary", config=config).path
