"""The README's commands run as they are written, on a small folder."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from nitari.catalog import Catalog
from nitari.cli import SERVE, TRAIN, main
from nitari.collection import Collection

README = Path(__file__).resolve().parents[1] / "README.md"
SMALL = {
    "fit": ["trainer.epochs=1", "trainer.batch=8"],
    "evaluate": ["protocol.max_queries=4", "protocol.throughput_items=8", "protocol.resamples=50"],
}
SMALL["compare"] = SMALL["evaluate"]
SMALL["pipeline"] = SMALL["sweep"] = SMALL["fit"] + SMALL["evaluate"]


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def test_there_are_commands_for_every_job():
    named = {shlex.split(line)[1] for line in commands() if line.startswith("nitari ")}
    assert named == set(TRAIN + SERVE) - {"demo"}
    assert "make demo" in commands()


@contextmanager
def served(words: list[str], port: int) -> Iterator[None]:
    """The command in a process of its own, which answers at ``port``."""
    process = subprocess.Popen([str(Path(sys.executable).with_name("nitari")), "serve", *words, f"port={port}"])
    try:
        while True:
            assert process.poll() is None, "the server ended"
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of boto and moto
@pytest.mark.timeout(900)
def test_every_command_runs(
    tmp_path: Path,
    bucket: str,
    make_pictures: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    paths = make_pictures(tmp_path / "pictures", 40)
    (tmp_path / "pictures" / "metadata.csv").write_text(
        "file_name,kind\n" + "\n".join(f"{path.name},{'ab'[i % 2]}" for i, path in enumerate(paths))
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    collection = Collection("collections", "shoes")
    server = ExitStack()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for line in commands():
        if not line.startswith(("nitari ", "curl ")):
            continue
        job, *words = shlex.split(line)[line.startswith("nitari ") :]
        item = Catalog(collection.latest("catalog")).records([0])[0]["item_id"] if collection.find("catalog") else ""
        put = {
            "s3://BUCKET": bucket,
            "PATH": str(tmp_path / "pictures"),
            "ITEM_ID": item,
            "PICTURE_FILE": str(paths[3]),
            "LABEL": "kind",
            "WORD": "picture",
        }
        words = [re.sub("|".join(put), lambda match, put=put: put[match[0]], word) for word in words]
        if job == "serve":
            server.enter_context(served(words, port))
            continue
        if job == "curl":
            words = [word.replace(":8000/", f":{port}/") for word in words]
            answer = json.loads(subprocess.run(["curl", *words], check=True, capture_output=True, timeout=60).stdout)
            assert answer.get("results") or answer["status"] == "ready", (line, answer)
            continue
        assert main([job, *words, *SMALL.get(job, [])]) == 0, line
        assert capfd.readouterr().out.strip(), line
    server.close()
    assert (tmp_path / "neighbours.jpg").stat().st_size > 5000
