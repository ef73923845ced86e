"""A cluster of two nodes on this machine, each with one CPU."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.errors import ClusterError, DataError, MissingDependencyError
from edgeseg.teachers import CacheSettings, EngineSettings, build_cache
from edgeseg.teachers.engines.ray_cluster import connect
from edgeseg.teachers.engines.ray_pool import Pool

FACTORY = """
import os, time
from pathlib import Path

def traced(num_classes):
    import torch

    layer = torch.nn.Conv2d(3, num_classes, 3, stride=2, padding=1, bias=False)
    torch.nn.init.normal_(layer.weight, std=3.0, generator=torch.Generator().manual_seed(0))
    layer.register_forward_pre_hook(trace)
    return layer

def trace(layer, images):
    '''Writes its process id at every frame; waits to be killed at the first frame that finds the order to.'''
    folder = Path(os.environ["EDGESEG_TEST_TRACE"])
    with (folder / "runs").open("a") as stream:
        stream.write(f"{os.getpid()}\\n")
    try:
        (folder / "order").unlink()
    except FileNotFoundError:
        return
    (folder / "victim").write_text(str(os.getpid()))
    time.sleep(600)

class Worker:
    '''A light one for the pool, which imports no torch.'''

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
FRAMES = 8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames, classes, and an importable module of teachers."""
    root, rng = tmp_path_factory.mktemp("ray"), np.random.default_rng(0)
    for number in range(FRAMES):
        label = rng.integers(0, 12, (6, 8), np.uint8).repeat(4, 0).repeat(4, 1)
        image = (label[..., None] * 18 + rng.integers(0, 40, (24, 32, 3))).astype(np.uint8)
        for part, content in (("train", image), ("trainannot", label)):
            (root / "camvid" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(root / "camvid" / part / f"frame{number}.png")
    preprocess = {"height": 16, "width": 24, "mean": [0.0] * 3, "std": [1.0] * 3}
    (root / "classes.yaml").write_text(yaml.safe_dump({**CLASS_MAP.to_dict(), "preprocess": preprocess}))
    (root / "code").mkdir()
    (root / "code" / "ray_teachers.py").write_text(FACTORY)
    return root


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[str]:
    """Address of a cluster of two nodes with an address of the loopback interface each."""
    ray_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: the cluster did not run")
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        # Inherited by the workers. Ray would replace 127.0.0.1 by the address of another interface.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(place / "code"), *filter(None, sys.path)]))
        patch.setenv("EDGESEG_TEST_TRACE", str(place))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.syspath_prepend(place / "code")
        found = ray_utils.Cluster(initialize_head=True, head_node_args={**node, "node_ip_address": "127.0.0.2"})
        try:
            found.add_node(**node, node_ip_address="127.0.0.3")
            yield found.address
        finally:
            found.shutdown()


@pytest.fixture
def settings(place: Path) -> CacheSettings:
    classes = (place / "classes.yaml",)
    return CacheSettings(
        ("ray_teachers:traced:3",), f"camvid:{place}/camvid#train", teacher_classes=classes, device="cpu"
    )


def kill_victim(place: Path, killed: list[int]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (place / "victim").exists() and (victim := (place / "victim").read_text()):
            os.kill(int(victim), signal.SIGKILL)
            killed.append(int(victim))
            return
        time.sleep(0.05)


def runs(place: Path) -> list[str]:
    return (place / "runs").read_text().split()


def test_worker_killed_in_the_middle_of_a_frame_costs_that_frame_alone(
    cluster: str, place: Path, settings: CacheSettings, tmp_path: Path, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    build_cache(settings, tmp_path / "one")
    (place / "runs").unlink()
    (place / "order").touch()
    killed: list[int] = []
    killer = threading.Thread(target=kill_victim, args=(place, killed), daemon=True)
    killer.start()
    info = build_cache(settings, tmp_path / "two", engine=EngineSettings("ray", cluster))
    killer.join(timeout=5)
    assert info.complete and len(killed) == 1
    seen = runs(place)
    assert len(seen) == 2 * FRAMES + 1, "twice each, to measure and to mix, and the frame that was cut off once more"
    assert str(killed[0]) in seen and len(set(seen)) >= 2
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


@pytest.fixture
def pool(cluster: str) -> Iterator[Callable[[str], Pool]]:
    """Makes a pool of a class of ``ray_teachers``."""
    connected = connect(cluster)
    pools = []

    def make(kind: str) -> Pool:
        pools.append(Pool(connected, getattr(import_module("ray_teachers"), kind), ()))
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


def test_address_where_nothing_answers(settings: CacheSettings, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(ClusterError, match=r"--address 127\.0\.0\.1:9: no Ray cluster answers .*ray start --head"):
        build_cache(settings, tmp_path / "c", engine=EngineSettings("ray", "127.0.0.1:9"))
    assert not (tmp_path / "c").exists()


def test_missing_ray_tells_how_to_install_it(
    settings: CacheSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"ray is not installed; .*pip install 'edgeseg\[cluster\]'"):
        build_cache(settings, tmp_path / "c", engine=EngineSettings("ray"))
