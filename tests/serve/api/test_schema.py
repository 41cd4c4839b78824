"""The API does what its OpenAPI document says: a small share of what benchmarks/api.py tries."""

import pytest
import schemathesis
from benchmarks.api import described
from schemathesis import GenerationMode

from nitari.serve.api.app import create
from nitari.serve.api.settings import Settings


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_described(made, mode):
    app = create(Settings("shop", str(made), hosts=("localhost", "testserver"), poll=60.0, token="t" * 20))
    ids = [item.decode() for item in app.state.context.shelf.current.catalog.item_ids]
    asked, failures = described(schemathesis.openapi.from_asgi("/openapi.json", app), ids, mode, cases=12)
    assert not failures, "\n\n".join(failures)
    assert len(asked) >= 12
