"""Small helpers of the network tests."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import Preprocess

torch.manual_seed(0)


@pytest.fixture
def class_map_of() -> Callable[[int], ClassMap]:
    """Builds a class map of so many classes."""

    def build(count: int) -> ClassMap:
        return ClassMap("test", tuple(SegmentationClass(f"class {i}", (i, 0, 0), (i,)) for i in range(count)))

    return build


@pytest.fixture
def info_of(class_map_of: Callable[[int], ClassMap]) -> Callable[..., ModelInfo]:
    """Builds the metadata of a network with so many classes."""

    def build(network: str, count: int, **options: object) -> ModelInfo:
        return ModelInfo(network, class_map_of(count), Preprocess(32, 48), options=options)

    return build


class Reference:
    """Weights and input that the stored logits of public implementations were computed with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def state_dict(self, name: str) -> dict[str, torch.Tensor]:
        shapes = json.loads((self.folder / f"{name}.keys.json").read_text())
        return {key: torch.from_numpy(self._value(key, tuple(shape))) for key, shape in shapes.items()}

    def input_and_logits(self, name: str) -> tuple[torch.Tensor, np.ndarray]:
        stored = np.load(self.folder / f"{name}.seed0.npz")
        images = self._rng("image").random(tuple(stored["input_shape"]), dtype=np.float32)
        return torch.from_numpy(images), stored["logits"]

    @staticmethod
    def _rng(name: str) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(name.encode()), 0])

    def _value(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        rng, leaf = self._rng(key), key.rsplit(".", 1)[-1]
        if leaf == "num_batches_tracked":
            return np.asarray(1, np.int64)
        if leaf == "running_var":
            return rng.uniform(0.5, 1.5, shape).astype(np.float32)
        if leaf in ("running_mean", "bias"):
            return rng.normal(0, 0.1, shape).astype(np.float32)
        if len(shape) <= 1:
            return rng.uniform(0.2, 1.0, shape).astype(np.float32)
        return rng.normal(0, (1.6 / int(np.prod(shape[1:]))) ** 0.5, shape).astype(np.float32)


@pytest.fixture
def reference(test_data: Path) -> Reference:
    """The stored logits of the published formats."""
    return Reference(test_data / "reference/networks")
