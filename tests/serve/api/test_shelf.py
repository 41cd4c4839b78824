"""The shelf: what a release maps is read ahead, the index first, and never in the way of an answer."""

import logging
import threading

import pytest

from nitari.collection import Collection
from nitari.errors import NitariError
from nitari.serve.api import shelf
from nitari.serve.api.shelf import Shelf


def _join() -> None:
    for thread in threading.enumerate():
        if thread.name == "nitari-ahead":
            thread.join()


def test_what_is_mapped_is_read_ahead(made, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[list[str], int]] = []

    def read(files, room):
        asked.append(([file.parent.parent.parent.name for file in files if file.stat().st_size], room))
        return 1

    monkeypatch.setattr(shelf, "read_ahead", read)
    monkeypatch.setattr(shelf, "machine_memory", lambda: {"total": 100, "available": 50})
    Shelf(Collection(made, "shop"))
    _join()
    kinds, room = asked[0]
    assert room == 25
    assert list(dict.fromkeys(kinds)) == ["indexes", "embeddings", "shop"]  # words have one index a collection


def test_what_cannot_be_read_ahead_is_said_and_no_more(made, monkeypatch, caplog):
    def read(files, room):
        raise NitariError("The disk is not there")

    monkeypatch.setattr(shelf, "read_ahead", read)
    with caplog.at_level(logging.WARNING):
        found = Shelf(Collection(made, "shop"))
        _join()
    assert set(found.current.spaces) == {"pixels", "colour"}
    assert "Not all was read ahead: The disk is not there" in caplog.text
