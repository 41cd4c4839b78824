import os
import subprocess
import sys

import pytest

from nitari.threads import pool

CODE = """
import numpy as np
from threadpoolctl import threadpool_info
from nitari.threads import pool

def threads(_=0):
    np.ones((2, 2)) @ np.ones((2, 2))
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

before = threads()
assert before == {2}, before
for count, within in ((1, {2}), (2, {1})):
    with pool(count) as workers:
        assert list(workers.map(threads, range(4))) == [within] * 4
    assert threads() == {2}
try:
    with pool(2):
        raise ValueError
except ValueError:
    assert threads() == {2}
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="BLAS has one thread anyway")
def test_threads_of_a_pool_multiply_by_themselves():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_error_goes_through():
    with pytest.raises(ValueError, match="a"), pool(2):
        raise ValueError("a")
