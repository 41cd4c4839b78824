from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_encoder() -> Path:
    pytest.skip("no extractor reads an encoder yet")
