import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nitari.threads import pool


def blas_threads(_: int = 0) -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(("threads", "within"), [(1, 2), (2, 1)])
def test_threads_of_a_pool_multiply_by_themselves(threads: int, within: int) -> None:
    with threadpool_limits(2, user_api="blas"):
        with pool(threads) as workers:
            assert list(workers.map(blas_threads, range(4))) == [{within}] * 4
        assert blas_threads() == {2}


def test_the_limit_ends_with_an_error_too() -> None:
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ValueError, match="a"), pool(2):
            raise ValueError("a")
        assert blas_threads() == {2}
