"""A pool of workers on a cluster of two nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from edgeseg.cluster.connection import connect
from edgeseg.cluster.pool import Pool
from edgeseg.errors import ClusterError, DataError
from tests.two_nodes import two_nodes

WORKERS = """
import os

class Worker:
    '''A light one, which imports no torch.'''

    def load(self):
        pass

    def square(self, number):
        return number * number

    def die(self, number):
        os.kill(os.getpid(), 9)

    def fail(self, number):
        raise ValueError(f"no such operator for {number}")

    def refuse(self, number):
        from edgeseg.errors import DataError

        raise DataError(f"frame {number} is no image")

class Unloadable(Worker):
    def load(self):
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster whose workers can import the classes above."""
    code = tmp_path_factory.mktemp("code")
    (code / "ray_workers.py").write_text(WORKERS)
    with two_nodes(code) as address:
        yield address


@pytest.fixture
def pool(cluster: str) -> Iterator[Callable[[str], Pool]]:
    """Makes a pool of a class of ``ray_workers``."""
    connected = connect(cluster)
    pools = []

    def make(kind: str) -> Pool:
        pools.append(Pool(connected, getattr(import_module("ray_workers"), kind), (), "the teachers"))
        return pools[-1]

    yield make
    for made in pools:
        made.close()
    connected.close()


def names(number: int) -> str:
    return f"train/frame{number}"


def work(pool: Pool, method: str) -> dict[int, int]:
    return dict(pool.run(range(5), method, lambda number: (number,), names))


def test_pool_does_every_item_once(pool: Callable[[str], Pool]) -> None:
    workers = pool("Worker")
    assert work(workers, "square") == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert dict(workers.run([], "square", lambda number: (number,), names)) == {}


def test_a_frame_that_kills_every_worker_is_named(pool: Callable[[str], Pool]) -> None:
    with pytest.raises(ClusterError, match=r"^train/frame\d: 3 workers of the Ray cluster .* died at this frame: "):
        work(pool("Worker"), "die")


def test_an_unknown_error_of_a_worker_names_frame_and_reason(pool: Callable[[str], Pool]) -> None:
    with pytest.raises(ClusterError, match=r"^train/frame\d: a worker .* failed: ValueError: no such operator"):
        work(pool("Worker"), "fail")


def test_an_error_of_ours_comes_back_as_it_was(pool: Callable[[str], Pool]) -> None:
    with pytest.raises(DataError, match=r"^frame \d is no image$"):
        work(pool("Worker"), "refuse")


def test_workers_that_cannot_load_their_teachers(pool: Callable[[str], Pool]) -> None:
    with pytest.raises(ClusterError, match=r"died while it loaded the teachers: .*is edgeseg installed on every node"):
        work(pool("Unloadable"), "square")
