"""Ahead: what a release maps is read, the index first, and never in the way of an answer."""

import fcntl
import logging
import threading

import pytest

from nitari.artifact import MANIFEST
from nitari.collection import Collection
from nitari.errors import NitariError
from nitari.serve.api import ahead
from nitari.serve.api.ahead import Ahead, mapped
from nitari.serve.api.shelf import Shelf


@pytest.fixture
def shop(made) -> Collection:
    return Collection(made, "shop")


def read(collection: Collection) -> None:
    Ahead().read(collection, collection.release()).join()


def test_the_index_comes_first(shop):
    files = [path.relative_to(shop.path).as_posix() for path in mapped(shop, shop.release())]
    kinds = list(dict.fromkeys(file.split("/")[0] for file in files))
    assert kinds == [kind for kind in ("indexes", "embeddings", "texts") if kind in kinds]
    assert kinds[-2:] == ["embeddings", "texts"]  # the indexes of so few pictures map nothing
    assert all((shop.path / file).suffix == ".npy" for file in files)
    assert sum(file.endswith("vectors.npy") for file in files) == 2


def test_half_of_what_is_available(shop, monkeypatch):
    asked = []
    monkeypatch.setattr(ahead, "read_ahead", lambda files, room, stopped: asked.append(room) or 1)
    monkeypatch.setattr(ahead, "memory", lambda: {"total": 100, "available": 50})
    read(shop)
    monkeypatch.setattr(ahead, "memory", lambda: {"total": None, "available": None})
    read(shop)
    assert asked == [25, 0]


def test_one_worker_reads(shop, monkeypatch):
    asked = []
    monkeypatch.setattr(ahead, "read_ahead", lambda *given: asked.append(given) or 1)
    with (shop.release().path / MANIFEST).open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)  # as another one that is at it
        read(shop)
    assert not asked
    read(shop)
    assert len(asked) == 1


def test_another_release_ends_what_was_begun(shop, monkeypatch):
    begun, stops = threading.Event(), []

    def wait(files, room, stopped):
        begun.set()
        while not stopped():
            pass
        stops.append(stopped)
        return 0

    one = Ahead()
    monkeypatch.setattr(ahead, "read_ahead", wait)
    first = one.read(shop, shop.release())
    assert begun.wait(20)
    monkeypatch.setattr(ahead, "read_ahead", lambda *given: 0)
    one.read(shop, shop.release()).join()
    first.join(20)
    assert len(stops) == 1


def test_what_cannot_be_read_ahead_is_said_and_no_more(shop, monkeypatch, caplog):
    def fail(files, room, stopped):
        raise NitariError("The disk is not there")

    monkeypatch.setattr(ahead, "read_ahead", fail)
    with caplog.at_level(logging.WARNING):
        found = Shelf(shop)
        for thread in threading.enumerate():
            if thread.name == "nitari-ahead":
                thread.join()
    assert set(found.current.spaces) == {"pixels", "colour"}
    assert "Not all was read ahead: The disk is not there" in caplog.text
