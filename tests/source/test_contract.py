"""What every source promises; a new choice in conf/source is picked up by itself and must have a fixture."""

from __future__ import annotations

import importlib
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from nitari import catalog, conf
from nitari.images.decode import decode
from nitari.images.original import read_original
from nitari.source import Source
from nitari.source.listing import SCHEMA

CHOICES = sorted((Path(str(conf.__file__)).parent / "source").glob("*.yaml"))


@pytest.fixture(params=CHOICES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest, make_case: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    def refuse(*_: Any) -> None:
        raise AssertionError("a source reached for the network")

    made = make_case(request.param.stem)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    target = yaml.safe_load(request.param.read_text())["_target_"]
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name), made


def test_a_listing_accounts_for_every_item(case: Any) -> None:
    kind, made = case
    source: Source = kind(**made.arguments)
    assert isinstance(source, Source)
    table = source.listing()
    assert table.schema.names[: len(SCHEMA)] == SCHEMA.names
    assert pa.schema([table.schema.field(name) for name in SCHEMA.names]) == SCHEMA
    assert table.num_rows == made.items
    assert table.column_names[len(SCHEMA) :] == made.columns
    for name in ("item_id", "file_name", "location", "offset", "size_bytes", "fingerprint"):
        assert table.column(name).null_count == 0, name
    ids = table.column("item_id").to_pylist()
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z2-7]{16}", item_id) for item_id in ids)
    assert pc.unique(table.column("reason")).to_pylist() == [None]
    assert not set(made.columns) & set(catalog.SCHEMA.names)


def test_listing_again_gives_the_same(case: Any) -> None:
    kind, made = case
    assert kind(**made.arguments).listing().equals(kind(**made.arguments).listing())


def test_its_items_are_pictures_that_can_be_read_by_location(case: Any) -> None:
    kind, made = case
    for row in kind(**made.arguments).listing().slice(0, 3).to_pylist():
        data = read_original(row["location"], row["offset"], row["size_bytes"])
        assert len(data) == row["size_bytes"]
        assert decode(data).pixels.ndim == 3


def test_its_name_enters_the_ids(case: Any) -> None:
    kind, made = case
    if made.arguments.get("name") == "FakeData":
        pytest.skip("the name is the data set's")
    ids = [set(kind(**made.arguments, name=name).listing().column("item_id").to_pylist()) for name in ("a", "b")]
    assert not ids[0] & ids[1]


def test_what_it_says_of_itself_is_plain(case: Any) -> None:
    kind, made = case
    source = kind(**made.arguments)
    assert {type(value) for value in source.about.values()} <= {str, int, list, dict, type(None)}
    assert source.about["kind"]
