from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from nitari.errors import NitariError
from nitari.model import create, export
from nitari.model.export import Encoder

VGG = {"_target_": "nitari.model.vgg.Vgg", "depth": 11, "width": 1 / 32, "size": 32, "decoder": 0}


@pytest.mark.parametrize("name", ["autoencoder", "vgg"])
def test_any_batch_of_uint8_gives_the_codes_of_torch(name: str, tiny: dict[str, Any], tmp_path: Path):
    network = create(tiny if name == "autoencoder" else VGG)
    path = tmp_path / "encoder.onnx"
    assert export.export(network, path) < 1e-4
    assert [p.name for p in tmp_path.iterdir()] == ["encoder.onnx"]  # no data beside it
    graph = onnx.load(str(path)).graph
    assert [(i.name, i.type.tensor_type.elem_type) for i in graph.input] == [("pictures", onnx.TensorProto.UINT8)]
    assert [(o.name, o.type.tensor_type.elem_type) for o in graph.output] == [("code", onnx.TensorProto.FLOAT)]
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for n in (1, 5):
        pictures = np.random.default_rng(n).integers(0, 256, (n, network.size, network.size, 3)).astype(np.uint8)
        with torch.no_grad():
            expected = Encoder(network).eval()(torch.from_numpy(pictures)).numpy()
        np.testing.assert_allclose(session.run(None, {"pictures": pictures})[0], expected, atol=1e-4)


def test_an_export_that_differs_is_refused(tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "_run", lambda path, pictures: np.zeros((len(pictures), 12), np.float32))
    with pytest.raises(NitariError, match="differs from torch's"):
        export.export(create(tiny), tmp_path / "encoder.onnx")
