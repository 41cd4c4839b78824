import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nitari.text.build import write
from nitari.text.index import TextIndex


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str | None]], TextIndex]:
    """``indexed(texts)``: a text index of them, from files of its own."""

    def make(texts: Sequence[str | None]) -> TextIndex:
        folder = Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp()))
        write(folder, texts)
        return TextIndex(folder)

    return make
