"""A model that needs no runtime, and frames to score."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.dropout import MaskedLayer
from edgeseg.modelinfo import ModelInfo
from edgeseg.preprocess import Preprocess, ResizeMode
from edgeseg.records import Record

CLASSES = ClassMap("test", tuple(SegmentationClass(name, (9 * i, 0, 0), (i,)) for i, name in enumerate("abcd")))


def cell_means(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over cells of 8×8 pixels; what is missing of the last ones repeats the border."""
    padded = np.pad(plane, ((0, -plane.shape[0] % 8), (0, -plane.shape[1] % 8)), mode="edge")
    return padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8).mean((1, 3))


class FakeRunner:
    """Entropy is the frame's red channel, the class its green one, both at half the frame's size.

    Of the two best classes the first has probability 1 − red / 510, the second, which follows it, the rest.
    The features are these probabilities, and each class's prototype is its own certainty.
    """

    backend = "fake"
    mask_layers = (MaskedLayer("only", 4, 0.5),)
    digest = "d" * 64
    output_names: tuple[str, ...] = (
        *("class_map", "entropy", "frame_entropy", "top2_probs"),
        *("cell_probs", "features", "logits"),
    )

    def __init__(self, height: int = 60, width: int = 80, resize: ResizeMode = "stretch") -> None:
        prototypes = {"prototypes": {"vectors": np.eye(4).tolist(), "pixels": [9] * 4, "data": "fake"}}
        self.info = ModelInfo("fake", CLASSES, Preprocess(height, width, resize=resize), extra=prototypes)
        self.size = (height, width)
        self.calls = 0

    def infer(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        self.calls += 1
        small = cv2.resize(frame, self.size[::-1], interpolation=cv2.INTER_NEAREST)
        entropy = np.ascontiguousarray(small[:, :, 0])
        class_map = np.minimum(small[:, :, 1] // 64, 3).astype(np.uint8)
        second = entropy / np.float32(510)
        sure = np.eye(4, dtype=np.float32)
        probs = sure[class_map] * (1 - second[..., None]) + sure[(class_map + 1) % 4] * second[..., None]
        cells = np.stack([cell_means(plane) for plane in probs.transpose(2, 0, 1)])
        return {
            "class_map": class_map,
            "entropy": entropy,
            "top2_probs": np.stack((1 - second, second)),
            "cell_probs": np.rint(255 * cells).astype(np.uint8),
            "features": cells,
            "logits": np.log(np.maximum(probs, np.float32(1e-6))).transpose(2, 0, 1),
            "frame_entropy": np.float32(entropy.mean() / 255 * math.log(4)),  # type: ignore[dict-item]
        }

    def infer_masked(self, frame: NDArray[np.uint8], masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """As the model, a little more or less certain by the first channel."""
        outputs = self.infer(frame)
        return {**outputs, "logits": outputs["logits"] * (1 + masks[0])}

    def infer_batch(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to free."""

    def __enter__(self) -> FakeRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def make_runner() -> Callable[..., FakeRunner]:
    return FakeRunner


@pytest.fixture
def scene() -> Callable[[int], NDArray[np.uint8]]:
    """Draws a frame (120, 160, 3): ``level`` of red everywhere, with a brighter square at its middle."""

    def draw(level: int) -> NDArray[np.uint8]:
        image = np.random.default_rng(level).integers(0, 30, (120, 160, 3), np.uint8)
        image[:, :, 0] = level
        image[40:72, 60:100] = (min(255, level + 100), 200, 60)
        return image

    return draw


@pytest.fixture
def drive(tmp_path: Path, scene: Callable[[int], NDArray[np.uint8]]) -> Path:
    """Six frames; their scores rise in the order 0, 5, 3, 1, 4, 2."""
    folder = tmp_path / "drive"
    folder.mkdir()
    for index, level in enumerate((10, 40, 120, 30, 100, 20)):
        Image.fromarray(scene(level)).save(folder / f"f{index}.png")
    return folder


@pytest.fixture
def make_item() -> Callable[[int], tuple[Record, dict[str, bytes]]]:
    """Makes the record and blobs of item ``number``; its score is the number."""
    return item


def item(number: int, size: int = 2000) -> tuple[Record, dict[str, bytes]]:
    content = {kind: np.random.default_rng((number, len(kind))).bytes(size) for kind in ("image", "entropy")}
    digests = {kind: hashlib.sha256(data).hexdigest() for kind, data in content.items()}
    blobs = [
        {"kind": kind, "key": f"sha256/{digests[kind][:2]}/{digests[kind]}.png", "digest": digests[kind], "bytes": size}
        for kind in content
    ]
    record = Record.model_validate(
        {
            "item_id": hashlib.sha256(str(number).encode()).hexdigest(),
            "vehicle": "v1",
            "drive": "d1",
            "captured_at": None,
            "clock": "unknown",
            "source": "drive",
            "frame_id": f"f{number}",
            "frame_number": number,
            "timestamp_s": None,
            "model_digest": "d" * 64,
            "policy": "all",
            "policy_version": "1",
            "strategy": "superpixel",
            "scores": [{"name": "frame_entropy", "value": number, "unit": "nats"}],
            "image": {"height": 4, "width": 5},
            "regions": [],
            "blobs": blobs,
        }
    )
    return record, content
