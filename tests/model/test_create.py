"""nitari.model.create: specifications from configurations and manifests."""

import subprocess
import sys
from typing import Any

import pytest

from nitari.errors import ConfigError
from nitari.model import create
from nitari.model.objective.agreement import Agreement


def test_nested_specifications_are_built():
    target = "nitari.model.objective"
    spec = {
        "_target_": f"{target}.weighted.Weighted",
        "terms": {"near": {"_target_": f"{target}.agreement.Agreement", "width": 3}},
        "weights": {"near": 2},
    }
    made = create(spec)
    assert isinstance(made.terms["near"], Agreement)
    assert made.terms["near"].width == 3


@pytest.mark.parametrize(
    "target", ["os.system", "nitari.cli.main", "", "nitari.model.absent.Thing", "nitari.model.vgg.No"]
)
def test_only_models_of_nitari_are_built(target: str):
    with pytest.raises(ConfigError):
        create({"_target_": target})


def test_an_unknown_setting_is_named(tiny: dict[str, Any]):
    with pytest.raises(ConfigError, match="'colour'"):
        create(tiny | {"colour": 1})


def test_importing_the_room_imports_no_torch():
    code = "import sys, nitari.model, nitari.model.canvas, nitari.extractor.encoder; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
