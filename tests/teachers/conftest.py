"""Fixtures of the teachers' tests: a miniature CamVid and networks of a single layer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from edgeseg import softlabels
from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets import build
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess

FACTORY = """
import torch

def one_layer(num_classes, seed=0):
    torch.manual_seed(seed)
    layer = torch.nn.Conv2d(3, num_classes, 3, stride=2, padding=1)
    # Logits as large as a trained network's.
    torch.nn.init.normal_(layer.weight, std=3.0)
    return layer
"""
NUMBER_OF_FRAMES = 4


def write_frame(root: Path, name: str, image: NDArray[np.uint8], label: NDArray[np.uint8]) -> None:
    for folder, content in (("train", image), ("trainannot", label)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(content).save(root / folder / f"{name}.png")


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Four frames of 24×32, classes in bands that the image's brightness follows, one band void."""
    rng = np.random.default_rng(0)
    root = tmp_path / "camvid"
    for number in range(NUMBER_OF_FRAMES):
        label = np.repeat(rng.permutation(12).astype(np.uint8), 2)[:, None].repeat(32, axis=1)
        image = (label[..., None] * 18 + rng.integers(0, 40, (24, 32, 3))).astype(np.uint8)
        write_frame(root, f"frame{number}", image, label)
    return root


@pytest.fixture
def factory_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable module with the factory ``one_layer``."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "tiny_teachers.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path / "code")
    return "tiny_teachers"


@pytest.fixture
def save_teacher(tmp_path: Path, factory_module: str) -> Callable[..., Path]:
    """Saves a checkpoint of ``one_layer`` and gives its path."""

    def save(seed: int = 0, preprocess: Preprocess | None = None, class_map=CLASS_MAP) -> Path:  # type: ignore[no-untyped-def]
        name, options = f"{factory_module}:one_layer", {"seed": seed}
        net = build(name, class_map.num_classes, **options)
        info = ModelInfo(name, class_map, preprocess or Preprocess(16, 24), options=options)
        save_checkpoint(tmp_path / f"teacher{seed}.edgeseg", net, info)
        return tmp_path / f"teacher{seed}.edgeseg"

    return save


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder: relative path → content."""

    def read(folder: Path) -> dict[str, bytes]:
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return read


@pytest.fixture
def damage() -> Callable[[Path, str], None]:
    """Flips a bit in the middle of the file that holds a frame, found by trying."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def search(cache: Path, sample_id: str) -> None:
        files = [p for p in cache.rglob("*") if p.is_file() and p.suffix not in (".json", ".yaml")]
        for path in sorted(files, key=lambda p: p.stat().st_size, reverse=True):
            flip(path)
            if sample_id in softlabels.verify(cache).bad:
                return
            flip(path)
        raise AssertionError(f"no file of {cache} holds {sample_id}")

    return search


@pytest.fixture
def unlabeled(camvid: Path) -> Path:
    shutil.rmtree(camvid / "trainannot")
    return camvid


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
