from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from torch import nn

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import ConfigError
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.cells import CellMean
from edgeseg.nets.deployed import DeployedGraph, FramePreprocess
from edgeseg.preprocess import Preprocess

CLASSES = ClassMap("four", tuple(SegmentationClass(f"c{i}", (i, i, i), (i,)) for i in range(4)))


class FixedLogits(nn.Module):
    """Ignores its input."""

    def __init__(self, logits: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.from_numpy(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits


def run(logits: np.ndarray, temperature: float = 1.0, resize: str = "stretch", emit=(), frame=(40, 40)):
    _, _, height, width = logits.shape
    info = ModelInfo("any", CLASSES, Preprocess(height, width, resize=resize), temperature=temperature)
    graph = DeployedGraph(FixedLogits(logits), info, emit)
    outputs = graph(torch.zeros(len(logits), *frame, 3, dtype=torch.uint8))
    return {name: o.numpy() for name, o in zip(graph.output_names, outputs, strict=True)}


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (2, 4, 50, 70)).astype(np.float32)


def probs_of(logits: np.ndarray, temperature: float) -> np.ndarray:
    raised = np.exp(logits.astype(np.float64) / temperature)
    return raised / raised.sum(1, keepdims=True)


def test_entropy_agrees_with_scipy(logits):
    outputs = run(logits, temperature=1.7)
    nats = scipy_entropy(probs_of(logits, 1.7), axis=1)
    assert np.abs(outputs["entropy"] - 255 * nats / math.log(4)).max() <= 0.5 + 1e-3
    np.testing.assert_allclose(outputs["frame_entropy"], nats.mean((1, 2)), atol=1e-5)


def test_cells_average_their_real_pixels_where_sides_do_not_divide(logits):
    outputs = run(logits, temperature=0.6)
    probs = probs_of(logits, 0.6)
    nats = scipy_entropy(probs, axis=1)
    assert outputs["cell_probs"].shape == (2, 4, 7, 9)
    assert outputs["cell_entropy"].shape == (2, 2, 3)
    for row in range(7):
        for column in range(9):
            mean = probs[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].mean((2, 3))
            assert np.abs(outputs["cell_probs"][:, :, row, column] - 255 * mean).max() <= 0.5 + 1e-3
    for row in range(2):
        for column in range(3):
            mean = nats[:, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32].mean((1, 2))
            np.testing.assert_allclose(outputs["cell_entropy"][:, row, column], mean, atol=1e-5)


def test_class_map_is_the_argmax_whatever_the_temperature(logits):
    np.testing.assert_array_equal(run(logits, 5.0)["class_map"], logits.argmax(1))


def test_types_are_those_of_the_design(logits):
    kinds = {name: o.dtype.name for name, o in run(logits, emit=("logits", "top2")).items()}
    assert kinds == {
        "class_map": "uint8",
        "entropy": "uint8",
        "cell_probs": "uint8",
        "cell_entropy": "float32",
        "frame_entropy": "float32",
        "logits": "float32",
        "top2_classes": "uint8",
        "top2_probs": "float32",
    }


@pytest.mark.parametrize(("level", "expected"), [(0.0, 255), (80.0, 0)])
def test_entropy_scale_ends_at_uniform_and_at_certain(level, expected):
    logits = np.zeros((1, 4, 32, 32), np.float32)
    logits[:, 1] = level
    assert (run(logits)["entropy"] == expected).all()


def test_top2_holds_the_two_best_and_their_probabilities(logits):
    outputs = run(logits, 1.7, emit=("top2",))
    probs = probs_of(logits, 1.7)
    order = np.argsort(-probs, axis=1)[:, :2]
    np.testing.assert_array_equal(outputs["top2_classes"], order)
    np.testing.assert_allclose(outputs["top2_probs"], np.take_along_axis(probs, order, 1), atol=1e-5)


def test_letterbox_border_is_left_out_of_the_frame_entropy():
    logits = np.zeros((1, 4, 64, 64), np.float32)
    logits[:, 0, 16:48] = 90.0  # a 2:1 frame fills the middle half, where the model is certain
    outputs = run(logits, resize="letterbox", frame=(40, 80))
    assert outputs["frame_entropy"][0] == pytest.approx(0.0, abs=1e-6)
    assert run(logits)["frame_entropy"][0] == pytest.approx(math.log(4) / 2, abs=1e-5)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("shape", [(64, 96), (133, 201), (31, 200), (200, 31)])
def test_preprocessing_agrees_with_numpy(resize, order, shape):
    settings = Preprocess(64, 96, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), order, resize)
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    expected = settings.apply(frame)
    for fixed in (None, shape):
        found = FramePreprocess(settings, fixed)(torch.from_numpy(frame)[None])[0].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_cell_mean_of_whole_cells_is_plain_pooling():
    x = torch.rand(1, 2, 16, 24)
    torch.testing.assert_close(CellMean(16, 24, 8)(x), nn.functional.avg_pool2d(x, 8))


@pytest.mark.parametrize("emit", [("logits", "logits"), ("logit",)])
def test_unknown_or_repeated_emit_is_refused(emit):
    with pytest.raises(ConfigError, match="choose from logits, top2, features"):
        run(np.zeros((1, 4, 8, 8), np.float32), emit=emit)


def test_features_of_a_network_that_does_not_name_its_classifier_are_refused():
    with pytest.raises(ConfigError, match=r"FixedLogits does not name its classifying layer.*classifier_names"):
        run(np.zeros((1, 4, 8, 8), np.float32), emit=("features",))
