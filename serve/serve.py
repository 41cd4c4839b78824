"""Serves a collection over HTTP: "more like this" for other programs, and a page for people.

    nitari serve collection=shoes
    nitari serve collection=shoes port=8080 workers=2
    nitari serve collection=shoes host=0.0.0.0 hosts=pictures.example.org token_file=token.txt
    nitari serve collection=shoes from=s3://bucket/nitari

It opens and verifies the current release, and takes over a new one, and what is added or removed, without dropping a
request. A release that is damaged is refused by name, and the one before goes on. Only this machine can reach it unless
host says otherwise. Changes need a token: the one in token_file, or in the variable NITARI_TOKEN. With `from`, what `nitari push`
puts into an object store is pulled, verified and served by itself; root holds the copy that is read.

Settings:

    collection    name of the collection
    host          address to listen on (127.0.0.1)
    port          (8000)
    workers       processes that answer (1)
    hosts         further names that requests may be for, separated by commas
    origins       origins whose pages may ask, such as https://shop.example.org; none but its own otherwise
    token_file    a file with the token that changes need
    upload        bytes that the pictures of one request may have (25000000)
    uploads       search by pictures, and by parts of them: a process encodes them (true)
    feedback      keep what people are shown, click, like and hide (true)
    patience      seconds that a client has to send a request (20)
    from          URL of a folder in a store that releases are pushed to; nothing is pulled without it
    every         seconds between two looks there (60)
    log           debug | info | warning (info)
    root          directory that holds all collections (collections)
"""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nitari.arguments import choose, parse
from nitari.collection import Collection
from nitari.command import ROOT
from nitari.errors import ConfigError, MissingExtraError
from nitari.startup import without_pandas

from .follower import Follower

SETTINGS: dict[str, Any] = {
    "collection": str,
    "host": "127.0.0.1",
    "port": 8000,
    "workers": 1,
    "hosts": [],
    "origins": [],
    "token_file": None,
    "upload": 25_000_000,
    "uploads": True,
    "feedback": True,
    "patience": 20.0,
    "from": None,
    "every": 60.0,
    "log": "info",
    "root": ROOT,
}


def main(words: Sequence[str]) -> int:
    values = parse(words, SETTINGS, "serve")
    level = choose(values, "log", ("debug", "info", "warning"))
    _check_names(values["hosts"], values["origins"])
    for name, least, most in (("port", 1, 65535), ("workers", 1, 64), ("upload", 1000, 1 << 32), ("patience", 1, 3600)):
        if not least <= values[name] <= most:
            raise ConfigError(f"{name} is {values[name]}. Give a number from {least} to {most}")
    without_pandas()
    try:
        import uvicorn

        from .api.metrics import MULTIPROCESS
        from .api.protocol import Impatient
        from .api.settings import LOOPBACK, Settings, token
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve") from None
    settings = Settings(
        values["collection"],
        os.path.abspath(values["root"]),
        hosts=tuple(dict.fromkeys([*LOOPBACK, values["host"], *values["hosts"]])),
        origins=tuple(values["origins"]),
        upload=values["upload"],
        patience=values["patience"],
        uploads=values["uploads"],
        feedback=values["feedback"],
        log=level,
        token=token(values["token_file"]),
    )
    _check_free(values["host"], values["port"])
    how: dict[str, Any] = {
        "host": values["host"],
        "port": values["port"],
        "log_level": level if level == "debug" else "warning",
        "access_log": False,
        "http": Impatient,
        "loop": "auto",
        "timeout_keep_alive": 30,
        "limit_concurrency": 1000,
        "timeout_graceful_shutdown": 10,
        "server_header": False,
        "log_config": None,
    }
    host = f"[{values['host']}]" if ":" in values["host"] else values["host"]
    url = f"http://{host}:{values['port']}/"
    from .api.app import FAILED, create, prepare

    prepare(settings)
    with ExitStack() as stack:
        if values["from"] is not None:
            stack.enter_context(
                Follower(Collection(settings.root, settings.collection), values["from"], values["every"])
            )
        if values["workers"] == 1:
            app = create(settings)
            logging.info("Serving '%s' at %s", settings.collection, url)
            uvicorn.run(app, **how)
            return 0
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nitari-metrics-"))
        os.environ |= {**settings.share(), MULTIPROCESS: folder}
        logging.info("Serving '%s' at %s, with %d workers", settings.collection, url, values["workers"])
        how |= {"loop": "nitari.serve.api.listening:Spread", "workers": values["workers"]}
        uvicorn.run("nitari.serve.api.app:worker", factory=True, **how)
        return 2 if (Path(folder) / FAILED).exists() else 0


def _check_names(hosts: Sequence[str], origins: Sequence[str]) -> None:
    for host in hosts:
        if "/" in host or (":" in host and not host.startswith("[") and host.count(":") == 1):
            raise ConfigError(f"hosts has '{host}'. Give names alone, without scheme, port or path")
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise ConfigError(
                f"origins has '{origin}'. Write it as https://shop.example.org, without a slash at its end"
            )


def _check_free(host: str, port: int) -> None:
    """ConfigError where nothing can listen there, before a release is opened."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0]) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(found[4])
    except OSError as error:
        raise ConfigError(
            f"host={host} port={port} cannot be listened on: {error.strerror or error}. End what listens there, or give "
            "another one"
        ) from None
