"""A small ENet as checkpoint and as exported graph, and a small labeled dataset in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg import nets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.datasets import Dataset
from edgeseg.deploy.export import export
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess

NAMES = ("road", "car", "tree", "sky", "person")
SIZE = (64, 96)


def make_class_map(names: tuple[str, ...] = NAMES) -> ClassMap:
    return ClassMap("small", tuple(SegmentationClass(n, (9 * i, 5 * i, i), (i,)) for i, n in enumerate(names)))


@pytest.fixture(scope="session")
def class_map() -> ClassMap:
    return make_class_map()


@pytest.fixture(scope="session")
def net() -> torch.nn.Module:
    """ENet with statistics of its own, so that batch norms do something, and logits of a few units."""
    torch.manual_seed(0)
    net = nets.build("enet", len(NAMES)).train()
    with torch.no_grad():
        for _ in range(30):
            net(torch.rand(4, 3, *SIZE))
        net.eval()
        net.classifier.weight.mul_(3.0 / net(torch.rand(2, 3, *SIZE)).std())
    return net


MakeCheckpoint = Callable[..., Path]


@pytest.fixture(scope="session")
def make_checkpoint(
    net: torch.nn.Module, class_map: ClassMap, tmp_path_factory: pytest.TempPathFactory
) -> MakeCheckpoint:
    def make(temperature: float = 1.7, size: tuple[int, int] = SIZE, **preprocess: object) -> Path:
        settings = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25), "channel_order": "bgr", **preprocess}
        path = tmp_path_factory.mktemp("checkpoint") / "small.edgeseg"
        info = ModelInfo("enet", class_map, Preprocess(*size, **settings), temperature=temperature)
        save_checkpoint(path, net, info)
        return path

    return make


@pytest.fixture(scope="session")
def checkpoint(make_checkpoint: MakeCheckpoint) -> Path:
    return make_checkpoint()


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployed graph with the design's outputs."""
    return export(checkpoint, tmp_path_factory.mktemp("exported")).path


@pytest.fixture(scope="session")
def exported_with_logits(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(checkpoint, tmp_path_factory.mktemp("exported"), emit=("logits",)).path


class MemoryDataset(Dataset):
    """Labeled samples in memory."""

    def __init__(self, images: list[np.ndarray], labels: list[np.ndarray], class_map: ClassMap) -> None:
        self.spec, self.class_map, self.has_labels = "memory", class_map, True
        self.images, self.labels = images, labels
        self.sample_ids = tuple(f"sample{i}" for i in range(len(images)))

    def image(self, index: int) -> np.ndarray:
        return self.images[index]

    def label(self, index: int) -> np.ndarray:
        return self.labels[index]


@pytest.fixture(scope="session")
def make_dataset(class_map: ClassMap) -> Callable[..., MemoryDataset]:
    def make(shape: tuple[int, int] = (150, 210), count: int = 2, names: tuple[str, ...] = NAMES) -> MemoryDataset:
        rng = np.random.default_rng(5)
        images = [rng.integers(0, 256, (*shape, 3), np.uint8) for _ in range(count)]
        labels = [rng.integers(0, len(names) - 1, shape).astype(np.uint8) for _ in range(count)]
        for label in labels:
            label[:20, :30] = 255
        return MemoryDataset(images, labels, make_class_map(names))

    return make


@pytest.fixture
def frame() -> np.ndarray:
    """A frame of odd size, (133, 201, 3) uint8."""
    return np.random.default_rng(1).integers(0, 256, (133, 201, 3), np.uint8)
