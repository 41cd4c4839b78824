"""The follower: keeps a collection at the release that was pushed last to an object store, while it is served."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Self

from nitari.collection import Collection
from nitari.errors import ArtifactError, ConfigError

from .api.settings import TOKEN

log = logging.getLogger(__name__)

# A pull goes on where it was ended; one that outlived its server would keep the next one from pulling.
_PULL = "import sys; from nitari import cli, startup; startup.die_with({parent}); sys.exit(cli.main())"


@dataclass
class Follower:
    """Pulls from ``origin`` when entered, and every ``seconds`` from then on, in a process apart that ends with this one: what
    that imports, and a store that hangs, are no matter for those who serve. They notice the switch by themselves.

    Entering raises ArtifactError where nothing can be pulled and there is no release here to go on with.
    """

    collection: Collection
    origin: str
    seconds: float
    _stop: threading.Event = field(default_factory=threading.Event)
    _trouble: str = ""
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self.seconds < 1:
            raise ConfigError(f"every is {self.seconds:g}. Give seconds from 1")
        trouble = self.pull()
        if trouble and self.collection.current is None:
            raise ArtifactError(trouble)
        self._told(trouble)
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._thread.join()

    def pull(self) -> str:
        """Once; returns what went wrong, or nothing."""
        words = [f"collection={self.collection.name}", f"from={self.origin}", f"root={self.collection.path.parent}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PULL.format(parent=os.getpid()), "pull", *words, "format=json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != TOKEN} | {"OMP_NUM_THREADS": "1"},
        )
        if self._stop.is_set():
            self._process.terminate()
        _, errors = self._process.communicate()
        if not self._process.returncode:
            return ""
        said = errors.strip().splitlines() or [f"It ended with {self._process.returncode}"]
        return said[-1].removeprefix("nitari: ")

    def _follow(self) -> None:
        while not self._stop.wait(self.seconds):
            trouble = self.pull()
            if not self._stop.is_set():
                self._told(trouble)

    def _told(self, trouble: str) -> None:
        """Logs what changed: the same trouble once, and its end."""
        if trouble and trouble != self._trouble:
            log.error("The release that is here goes on: %s", trouble)
        elif self._trouble and not trouble:
            log.info("'%s' can be pulled from again", self.origin)
        self._trouble = trouble
