"""Soft labels from the workers of a cluster."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.errors import ClusterError, MissingDependencyError
from edgeseg.teachers import CacheSettings, EngineSettings, build_cache
from tests.two_nodes import two_nodes

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
    """Address of a cluster of two nodes."""
    with two_nodes(place / "code", EDGESEG_TEST_TRACE=str(place)) as address:
        yield address


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
