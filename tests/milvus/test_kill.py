"""The server is killed while ten processes' worth of threads append: every row that it acknowledged is there afterwards."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.milvus.conftest import SPACE

from nitari.errors import ArtifactError
from nitari.index.milvus import Milvus
from nitari.index.tuning import ann_recall

WRITERS, AGAIN = 10, 120.0


@pytest.mark.timeout(500)
def test_every_acknowledged_row_survives_a_kill(server, tmp_path, build, vectors):
    index = build(1000)
    parameters = index.save(tmp_path)
    acknowledged: list[list[int]] = [[] for _ in range(WRITERS)]
    deleted: list[list[int]] = [[] for _ in range(WRITERS)]
    read, wrong = [0] * WRITERS, []
    stop = threading.Event()

    def write(i):
        at = 1000 + i
        while not stop.is_set():
            rows = np.array([at, at + WRITERS])
            try:
                index.upsert(rows, vectors[rows % len(vectors)])
                acknowledged[i] += rows.tolist()
                if len(acknowledged[i]) % 8 == 0:
                    index.delete(np.array([i + WRITERS * len(deleted[i])]))
                    deleted[i].append(i + WRITERS * len(deleted[i]))
            except ArtifactError:
                time.sleep(0.2)
            at += 2 * WRITERS

    def ask(i):
        while not stop.is_set():
            try:
                found = index.search(vectors[700 + i], 10)
            except ArtifactError:
                continue
            if found.rows[0, 0] != 700 + i or (found.rows < 0).any():
                wrong.append(found)
            read[i] += 1

    work = [threading.Thread(target=task, args=(i,)) for i in range(WRITERS) for task in (write, ask)]
    for thread in work:
        thread.start()
    time.sleep(4)
    file = Path(os.environ["NITARI_MILVUS_PID"])
    first = file.read_text()
    os.kill(int(first), signal.SIGKILL)
    _until(lambda: file.read_text() != first)
    before = sum(map(len, acknowledged))
    _until(lambda: sum(map(len, acknowledged)) > before + 40)  # it takes rows again
    stop.set()
    for thread in work:
        thread.join()
    assert not wrong
    assert all(read)
    again = Milvus.load(tmp_path, SPACE, vectors[:1000], parameters)
    rows = {row for one in acknowledged for row in one}
    gone = {row for one in deleted for row in one}
    assert before > 40
    assert gone
    assert rows <= set(again._late.rows.tolist())
    assert gone <= set(again._late.gone.tolist())
    for row, vector in zip(again._late.rows.tolist(), again._late.vectors, strict=True):
        assert np.allclose(vector, vectors[row % len(vectors)], atol=1e-6)
    queries = vectors[:50]
    found, other = again.search(queries, 10), index.search(queries, 10)
    assert ann_recall(found.distances, other.distances).mean() >= 0.99


def _until(done):
    last = time.monotonic() + AGAIN
    while not done():
        assert time.monotonic() < last
        time.sleep(0.1)
