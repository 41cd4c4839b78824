import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError
from nitari.serve.follower import Follower
from nitari.steps.build import build
from nitari.steps.transfer import push

pytestmark = pytest.mark.filterwarnings("ignore")  # of boto, moto and what they stand on

EXACT = {"_target_": "nitari.index.exact.Exact"}


@pytest.fixture
def collection(tmp_path, catalog_of, space_of):
    collection = Collection(tmp_path / "here", "shoes")
    space_of(collection, catalog_of(collection, 60), "encoder")
    build(collection, EXACT)
    return collection


def until(found, seconds=60):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_pushed_is_followed(collection, tmp_path, bucket, caplog):
    push(collection, bucket)
    there = Collection(tmp_path / "there", "shoes")
    with caplog.at_level(logging.INFO, "nitari"), Follower(there, bucket, 1):
        assert there.current == collection.current
        build(collection, EXACT, weights={"encoder": 0.5})
        assert there.current != collection.current
        push(collection, bucket)
        until(lambda: there.current == collection.current)
    assert not [record for record in caplog.records if record.name.startswith("nitari")]


def test_a_store_that_cannot_be_reached_stops_nothing_but_a_first_start(collection, tmp_path, bucket, caplog):
    with Follower(collection, f"{bucket}/nothing", 60):
        assert "nothing" in caplog.text
    with pytest.raises(ArtifactError, match="nothing at"), Follower(Collection(tmp_path, "shoes"), bucket, 60):
        pass
    with pytest.raises(ConfigError, match="every is 0"), Follower(collection, bucket, 0):
        pass


@pytest.mark.slow
def test_a_server_takes_over_what_is_pushed(collection, tmp_path, bucket):
    push(collection, bucket)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["collection=shoes", f"root={tmp_path / 'there'}", f"port={port}", f"from={bucket}", "every=1"]
    command = [str(Path(sys.executable).with_name("nitari")), "serve", *words, "uploads=false", "log=warning"]
    process = subprocess.Popen(command, env=os.environ)

    def answers():
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/readyz").json()["release"] == collection.current
        return False

    try:
        until(answers)
        build(collection, EXACT, weights={"encoder": 0.5})
        push(collection, bucket)
        until(answers)
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)
    shutil.rmtree(tmp_path / "there")
