"""A small shop with words and facets, its app asked in this process, and a real server in a thread."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import pytest
import uvicorn
from starlette.testclient import TestClient

from nitari.collection import Collection
from nitari.extractor import create
from nitari.serve.api.app import create as create_app
from nitari.serve.api.protocol import Impatient
from nitari.serve.api.settings import Settings
from nitari.steps.build import build
from nitari.steps.extract import extract

TOKEN = "a token that is long enough"
HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "ef_construction": 40}


@pytest.fixture(scope="session")
def made(tmp_path_factory, make_pictures, ingest_folder):
    """The root of a collection 'shop': 40 pictures of two kinds, spaces 'pixels' and 'colour', words of file_name."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "bags", 20, seed=1)
    make_pictures(folder / "shoes", 20, seed=2)
    root = tmp_path_factory.mktemp("root")
    collection = Collection(root, "shop")
    ingest_folder(collection, folder, lambda name: {"kind": name.split("/")[0], "price": len(name), "new": "1" in name})
    for spec in ("pixels.PixelsExtractor", "colour.ColourExtractor"):
        extract(collection, create({"_target_": f"nitari.extractor.{spec}"}), threads=1)
    build(collection, HNSW, weights={"pixels": 1, "colour": 0.5}, text=["file_name"])
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made, tmp_path / "root")


@pytest.fixture(scope="module")
def client(made):
    """Asks an app that nothing changes."""
    with TestClient(create_app(Settings("shop", str(made), hosts=("testserver",), poll=60.0))) as found:
        yield found


@pytest.fixture
def writer(root):
    """Asks an app of ``root`` with the token."""
    settings = Settings("shop", str(root), hosts=("testserver",), poll=0.05, token=TOKEN)
    with TestClient(create_app(settings)) as found:
        found.headers["Authorization"] = f"Bearer {TOKEN}"
        yield found


@pytest.fixture
def patience():
    """Seconds that a client of ``served`` has to send a request."""
    return 20.0


@pytest.fixture
def served(root, patience):
    """(url, app) of a real server that looks for changes all the time."""
    settings = Settings("shop", str(root), poll=0.02, patience=patience, upload=200_000, token=TOKEN)
    app = create_app(settings)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        http = type("Hurried", (Impatient,), {"patience": patience})
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, http=http, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", app
        server.should_exit = True
        thread.join(20)
