"""A shop of small pictures that is really served, and a browser that looks at it."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn

from nitari.collection import Collection
from nitari.extractor import create
from nitari.serve.api.app import create as create_app
from nitari.serve.api.settings import Settings
from nitari.steps.build import build
from nitari.steps.extract import extract

COUNT = 260  # pictures: more than two pages of results
HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "ef_construction": 40}


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no browser: no program named chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory, make_pictures):
    """The folder with the shop's pictures: bags, shoes and, of the first bag, two copies under other names."""
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "bags", COUNT // 2, seed=1, size=(96, 72))
    made = make_pictures(folder / "shoes", COUNT - COUNT // 2 - 2, seed=2, size=(72, 96))
    for i in range(2):
        shutil.copy(made[0], folder / "shoes" / f"copy-{i}.jpg")
    return folder


@pytest.fixture(scope="session")
def url(tmp_path_factory, pictures, ingest_folder):
    """Where the shop is served: two releases, words of file_name, a map; ``kind``, ``new`` and ``price`` are columns."""
    root = tmp_path_factory.mktemp("root")
    collection = Collection(root, "shop")
    at = np.random.default_rng(0).random((COUNT, 2)).tolist()

    def columns(name):
        x, y = at.pop()
        kind, file = name.split("/")
        return {"kind": kind, "new": "1" in file, "price": len(file) + x, "map_x": x, "map_y": y}

    ingest_folder(collection, pictures, columns)
    for spec in ("pixels.PixelsExtractor", "colour.ColourExtractor"):
        extract(collection, create({"_target_": f"nitari.extractor.{spec}"}), threads=1)
    build(collection, HNSW, weights={"colour": 1}, text=["file_name"])
    build(collection, HNSW, weights={"pixels": 1, "colour": 0.5}, text=["file_name"])
    app = create_app(Settings("shop", str(root), poll=60.0, upload=1_000_000))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        thread.join(20)


class Visitor:
    """Looks at the page, and notes what the browser complains of and what was asked for."""

    def __init__(self, page, url):
        self.page = page
        self.url = url
        self.complaints = []
        self.requests = []
        self.forgiven = False  # a test that provokes a refusal
        page.set_default_timeout(15_000)
        page.on(
            "console", lambda message: message.type in ("error", "warning") and self.complaints.append(message.text)
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))

    def open(self, search=""):
        self.page.goto(self.url + search)
        self.settle()
        return self.page

    def settle(self):
        """Until the results are there, with their pictures."""
        self.page.wait_for_selector("#main[aria-busy=false]")
        self.page.wait_for_selector(".tile:not(.ghost):visible, #problem:visible, #map:visible")
        self.page.evaluate(  # decode() of a picture that is taken away meanwhile may never answer
            "Promise.race([Promise.allSettled([...document.images].map(image => image.decode())),"
            " new Promise(done => setTimeout(done, 5000))])"
        )

    def until(self, expression, argument=None):
        """Waits for an expression to be true. The page's policy forbids the evaluation that playwright's own waiting needs."""
        end = time.monotonic() + 15
        while not (found := self.page.evaluate(expression, argument)):
            assert time.monotonic() < end, f"It did not come true within 15 s: {expression}"
            self.page.wait_for_timeout(20)
        return found

    def wait(self, check):
        """Until ``check()`` holds here, outside of the page."""
        end = time.monotonic() + 15
        while not check():
            assert time.monotonic() < end, "It did not come true within 15 s"
            self.page.wait_for_timeout(20)

    def do(self, selector, **where):
        """Clicks, and waits for the new address and its results."""
        before = self.page.url
        self.page.locator(selector, **where).first.click()
        self.until("before => location.href !== before", before)
        self.settle()

    def shown(self):
        """File names of the results in the document, in order."""
        return self.page.locator("#grid .picture img").evaluate_all("images => images.map(image => image.alt)")

    def asked(self, path):
        """Bodies of the requests to a path."""
        sent = [request for request in self.requests if request.url.split("?")[0].endswith(path)]
        return [json.loads(request.post_data) for request in sent if request.post_data]


@pytest.fixture
def visit(chromium, url):
    """``visit(**context)`` opens a window of its own. When the test ends, nobody may have complained or gone elsewhere."""
    made = []

    def window(**context):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **context})
        visitor = Visitor(context.new_page(), url)
        made.append((context, visitor))
        return visitor

    yield window
    for context, visitor in made:
        context.close()
        foreign = [request.url for request in visitor.requests if not request.url.startswith((url, "blob:", "data:"))]
        assert foreign == []
        assert visitor.forgiven or visitor.complaints == []


@pytest.fixture
def visitor(visit):
    return visit()
