"""Fixtures of the cache's tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.datasets import Dataset
from edgeseg.softlabels import CacheInfo, CacheWriter, TeacherRecord

IDS = ("train/a", "train/b", "c")


@pytest.fixture(scope="session")
def draw_probs() -> Callable[..., NDArray[np.float32]]:
    """Soft labels as networks give them: smooth fields of logits, softened, with sharp and vague places."""

    def draw(classes: int, height: int, width: int, seed: int = 0, temperature: float = 4.0) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        coarse = rng.normal(scale=15, size=(height // 8 + 2, width // 8 + 2, classes)).astype(np.float32)
        logits = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1) / temperature
        odds = np.exp(logits - logits.max(axis=0))
        return (odds / odds.sum(axis=0)).astype(np.float32)

    return draw


@pytest.fixture
def info() -> CacheInfo:
    names = ("sky", "road", "car", "tree")
    class_map = ClassMap("tiny", tuple(SegmentationClass(n, (k, k, k), (k,)) for k, n in enumerate(names)))
    teachers = (TeacherRecord("one.edgeseg", 3.0, "1" * 64), TeacherRecord("two.edgeseg", 5.0, "2" * 64))
    return CacheInfo(class_map, teachers, IDS, "d" * 64, {"flip": False}, ((1.0,) * 4,) * 2)


@pytest.fixture
def probs(draw_probs: Callable[..., NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    return {sample_id: draw_probs(4, 100, 60, seed) for seed, sample_id in enumerate(IDS)}


@pytest.fixture
def cache(tmp_path: Path, info: CacheInfo, probs: dict[str, NDArray[np.float32]]) -> Path:
    """A finished cache of three frames, 100×60, 4 classes."""
    with CacheWriter(tmp_path / "cache", info) as writer:
        for sample_id, p in probs.items():
            writer.put(sample_id, p)
        writer.finish({})
    return tmp_path / "cache"


@pytest.fixture
def shard() -> Callable[[Path, int], Path]:
    """Where the n-th frame of a cache lies."""
    return lambda cache, number: next((cache / "frames").glob(f"*/*/c/{number}/0/0/0"))


class BlankDataset(Dataset):
    """Black images without files."""

    spec = "blank:memory"
    has_labels = False

    def __init__(self, class_map: ClassMap, sample_ids: tuple[str, ...], size: tuple[int, int]) -> None:
        self.class_map = class_map
        self.sample_ids = sample_ids
        self._size = size

    def image(self, index: int) -> NDArray[np.uint8]:
        return np.zeros((*self._size, 3), np.uint8)

    def label(self, index: int) -> NDArray[np.uint8]:
        raise NotImplementedError


@pytest.fixture
def blank(info: CacheInfo) -> Callable[..., Dataset]:
    def make(**changes: object) -> Dataset:
        class_map = replace(info.class_map, classes=info.class_map.classes[: changes.get("classes", 4)])  # type: ignore
        return BlankDataset(class_map, changes.get("ids", IDS), changes.get("size", (100, 60)))  # type: ignore

    return make
