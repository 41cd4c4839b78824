import pytest
from hydra import compose, initialize_config_module

from nitari.train import job


def test_a_setting_that_was_left_open_is_named_in_full(capsys):
    with initialize_config_module("nitari.conf", version_base="1.3"):
        cfg = compose("extract", overrides=["collection=shoes", "extractor=vgg"])
    with pytest.raises(SystemExit) as caught, job.said("extract", cfg):
        job.instantiate(job.plain(cfg.extractor))
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said == "nitari: 'extractor.weights' has no value. Give it as: nitari extract extractor.weights=…\n"
