"""A server that is killed, not ended: nothing that it acknowledged is lost, and it starts again."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image

from nitari.changes import Changes
from nitari.collection import Collection
from nitari.feedback import Feedback
from nitari.serve.api.settings import TOKEN

SECRET = "a-token-that-is-long-enough"


@contextmanager
def running(root):
    """(process, client) of a server with two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "collection=shop", f"root={root}", f"port={port}", "workers=2", "log=warning"]
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("nitari")), *words],
        env={**os.environ, TOKEN: SECRET},
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {SECRET}"
            for _ in range(600):
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.05)
            yield process, client
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def picture(number):
    out = io.BytesIO()
    Image.new("RGB", (90, 60), (number * 20 % 256, 90, 255 - number * 11 % 256)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.slow
def test_workers_that_cannot_open_the_release_end_the_server(root):
    collection = Collection(root, "shop")
    for file in collection.parent(collection.release(), "index:colour", "colour").path.glob("[!m]*"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    command = [str(Path(sys.executable).with_name("nitari")), "serve", "collection=shop", f"root={root}"]
    for workers in (1, 2):
        done = subprocess.run([*command, f"workers={workers}", "port=8999"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done.stderr
        assert "colour" in done.stderr


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(root):
    noted, removed, added = [], [], []
    with running(root) as (process, client):
        ids = [result["item_id"] for result in client.get("/v1/items?k=30").json()["results"]]

        def feed():
            for number in range(10_000):
                event = {"event": "clicked", "item_id": "x", "query": str(number)}
                if client.post("/v1/feedback", json={"events": [event]}).status_code != 200:
                    return
                noted.append(str(number))

        def remove():
            for item in ids:
                if client.delete(f"/v1/items/{item}").status_code != 200:
                    return
                removed.append(item)

        def add():
            for number in range(30):
                answer = client.post("/v1/items", files={"picture": ("a.png", picture(number))})
                if answer.status_code != 200:
                    return
                added.extend(answer.json()["items"].values())

        def until_killed(work):
            with suppress(httpx.TransportError):
                work()

        threads = [threading.Thread(target=until_killed, args=(work,)) for work in (feed, remove, add)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (len(noted) > 20 and len(removed) > 5 and added):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert noted
    assert removed
    assert added
    collection = Collection(root, "shop")
    assert set(noted) <= {event["query"] for event in Feedback(collection).read()}
    assert set(removed) <= Changes(collection).removed()
    with running(root) as (_, client):
        assert client.get("/readyz").json()["trouble"] is None
        for item in added:
            assert client.get(f"/v1/items/{item}/more-like?k=1").status_code == 200
        for item in removed:
            assert client.get(f"/v1/items/{item}").json()["item"]["removed"]
