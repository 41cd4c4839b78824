"""A real Ray on this machine, started once. Tasks are those of the local executor."""

import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from nitari.artifact import Artifact
from nitari.catalog import FILE, Catalog
from nitari.collection import Collection
from nitari.errors import ConfigError, NitariError
from nitari.executor import Shard
from nitari.executor.local import Local
from nitari.executor.ray import Ray
from nitari.extractor.pixels import PixelsExtractor
from nitari.source.folder import FolderSource
from nitari.steps.extract import extract
from nitari.steps.ingest import ingest

if find_spec("ray") is None:  # importing it here would be before its settings are made
    pytest.skip("needs the extra ray", allow_module_level=True)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TASKS = textwrap.dedent("""
    import os, signal, time
    from pathlib import Path

    def work(payload, beat, blamed):
        out = []
        for step in range(payload["n"]):
            beat(step)
            if step in blamed:
                out.append(blamed[step])
                continue
            if step in payload.get("hang", []):
                time.sleep(60)
            if step in payload.get("crash", []):
                os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(payload.get("pause", 0))
            out.append(step)
        beat(-1)
        if "once" in payload and not Path(payload["once"]).exists():
            Path(payload["once"]).touch()
            os.kill(os.getppid(), signal.SIGKILL)  # the actor, as if its machine were lost
            time.sleep(60)
        if payload.get("raise"):
            raise ValueError("the disk is full")
        if "done" in payload:
            (Path(payload["done"]) / f"{payload['name']}-{os.getpid()}").touch()
        return {"out": out}
""")


@pytest.fixture(scope="module")
def ray() -> Iterator[Ray]:
    before = dict(os.environ)
    executor = Ray(workers=2)
    assert executor.workers == 2
    yield executor
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray leaves its processes and files to the collector
        ray.shutdown()
        gc.collect()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of its own a test: workers may be kept."""
    name = f"ray_tasks_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    (tmp_path / f"{name}.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:work"


def test_it_has_a_token_and_refuses_who_has_another(ray: Ray) -> None:
    import ray as module

    assert os.environ["RAY_AUTH_MODE"] == "token"
    address = module.get_runtime_context().gcs_address
    code = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
    stranger = {**os.environ, "RAY_AUTH_TOKEN": "0" * 64}
    ended = subprocess.run([sys.executable, "-c", code], env=stranger, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0
    assert "token" in ended.stderr.lower()


def test_steps_that_hang_or_crash_are_blamed_and_the_rest_goes_on(ray: Ray, tasks: str) -> None:
    counted: list[int] = []
    shards = [Shard({"n": 4, "hang": [2]}, 4), Shard({"n": 4, "crash": [0, 3]}, 4), Shard({"n": 2}, 2)]
    results = dict(ray.run(tasks, shards, time_limit=1.0, progress=counted.append))
    assert results[0]["out"] == [0, 1, "timeout", 3]
    assert results[1]["out"] == ["crashed", 1, 2, "crashed"]
    assert results[2]["out"] == [0, 1]
    assert counted[-1] == 10


def test_a_lost_worker_is_replaced_and_an_error_ends_the_job(ray: Ray, tasks: str, tmp_path: Path) -> None:
    shards = [Shard({"n": 2, "once": str(tmp_path / "killed")}), Shard({"n": 1})]
    assert {r.shard: r.value["out"] for r in ray.run(tasks, shards)} == {0: [0, 1], 1: [0]}
    with pytest.raises(NitariError, match="the disk is full"):
        list(ray.run(tasks, [Shard({"n": 1, "raise": True})]))
    assert list(ray.run(tasks, [])) == []


def test_more_than_the_cluster_has_is_refused(ray: Ray) -> None:
    with pytest.raises(ConfigError, match="Claim less"):
        next(iter(Ray(cpus=64).run("nowhere:nothing", [Shard({})])))
    with pytest.raises(ConfigError, match=r"executor\.cpus 0"):
        Ray(cpus=0)


def test_a_cluster_that_is_not_there_is_said() -> None:
    from nitari.executor import ray as module

    with pytest.raises(ConfigError, match=r"'127\.0\.0\.1:9' cannot be joined.*ray start --head"):
        module._join(None, "127.0.0.1:9")


def test_ingest_and_extract_equal_the_local_result(
    ray: Ray, tmp_path: Path, make_pictures: Callable[..., list[Path]]
) -> None:
    make_pictures(tmp_path / "pictures", 150)
    (tmp_path / "pictures" / "bad.jpg").write_bytes(b"not a picture")
    made = []
    for name, executor in (("here", Local(2)), ("there", ray)):
        collection = Collection(tmp_path / name, "shoes")
        listing = FolderSource(str(tmp_path / "pictures")).listing()
        catalog = ingest(collection, listing, source_name="main", executor=executor)
        assert Catalog(catalog).n_ready == 150
        vectors = extract(collection, PixelsExtractor(size=8), shard=64, executor=executor)
        made.append([catalog, collection.parent(catalog, "thumbnails"), vectors])
    for here, there in zip(*made, strict=True):
        assert _files(here) == _files(there)
    assert FILE in _files(made[0][0])


def _files(artifact: Artifact) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in artifact.manifest.files.items()}


def test_a_killed_driver_loses_nothing_and_doubles_nothing(
    ray: Ray, tmp_path: Path, make_pictures: Callable[..., list[Path]]
) -> None:
    import ray as module

    make_pictures(tmp_path / "pictures", 300, size=(60, 40))
    script = textwrap.dedent(f"""
        from nitari.collection import Collection
        from nitari.executor.ray import Ray
        from nitari.source.folder import FolderSource
        from nitari.steps.ingest import ingest

        listing = FolderSource({str(tmp_path / "pictures")!r}).listing()
        executor = Ray({module.get_runtime_context().gcs_address!r}, workers=1)
        ingest(Collection({str(tmp_path)!r}, "shoes"), listing, source_name="main", executor=executor)
    """)
    parts = tmp_path / "shoes" / "work"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as driver:
        for _ in range(1200):
            if list(parts.glob("*/parts/*.parquet")) or driver.poll() is not None:
                break
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
    before = len(list(parts.glob("*/parts/*.parquet")))
    assert before
    shutil.copytree(parts, tmp_path / "copy")
    collection = Collection(tmp_path, "shoes")
    listing = FolderSource(str(tmp_path / "pictures")).listing()
    read: list[int] = []
    ingest(collection, listing, source_name="main", executor=ray, progress=lambda done, total: read.append(done))
    assert read[0] >= min(300, 64 * before)  # what was done is not read again
    catalog = Catalog(collection.latest("catalog"))
    assert catalog.n_ready == 300
    assert len(set(catalog.item_ids.tolist())) == 300
    undisturbed = Collection(tmp_path, "undisturbed")
    ingest(undisturbed, listing, source_name="main", workers=1)
    assert _files(catalog.artifact) == _files(undisturbed.latest("catalog"))
