"""The resize inside an exported graph against the one that training does, on real frames.

Tolerance: a twentieth of a grey level at every pixel, which is what float32 leaves of two ways to compute the same
places. ``crop`` holds it where the edges of what is seen fall between pixels of the frame; elsewhere training cuts at
the nearest pixel, at most half a one away, and two grey levels are allowed in the mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgeseg import datasets, nets
from edgeseg.deploy.export import export
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.seal import sealed_metadata
from edgeseg.modelinfo import METADATA_KEY, ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess
from edgeseg.students.augment import draw_view, view_image
from edgeseg.students.groups import AugmentSettings, PreprocessSettings

UNCHANGED = AugmentSettings(scale=(1, 1), crop="center", flip=0, brightness=0, contrast=0, saturation=0)
SAME = 0.05
"""Grey levels at every pixel."""
HALF_A_PIXEL = 2.0
"""Grey levels in the mean, where training cuts up to half a pixel of the frame away."""


def by_graph(graph: Path, frame: np.ndarray) -> np.ndarray:
    """What onnxruntime, with all that it optimises, hands to the network of an exported graph."""
    content = graph.read_bytes()
    model = onnx.load_model_from_string(content)
    info = ModelInfo.from_json(sealed_metadata(content, "test")[METADATA_KEY], "test")
    name = GraphProbe(model, info, "graph").input_tensor()
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], {"frame": frame[None]})[0][0]


def by_training(frame: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    view = draw_view(UNCHANGED, preprocess, frame.shape[0], frame.shape[1])
    return view_image(torch.from_numpy(frame.copy()).permute(2, 0, 1), view, preprocess, None).numpy()


@pytest.mark.parametrize(
    ("data", "resize", "size", "fixed"),
    [
        ("camvid", "stretch", (100, 160), True),
        ("cityscapes", "stretch", (97, 131), False),
        ("camvid", "letterbox", (100, 160), True),  # beside the frame a border of an odd length
        ("cityscapes", "letterbox", (97, 131), True),
        ("camvid", "crop", (96, 160), True),
        ("cityscapes", "crop", (128, 128), True),
    ],
)
def test_the_graph_resizes_as_training_does(measure, data, resize, size, fixed):
    for off in measure(data, resize, size, fixed):
        assert off.max() < SAME


def test_a_crop_between_pixels_of_the_frame_is_as_near_as_training_cuts(measure):
    for off in measure("camvid", "crop", (97, 131), True):
        assert off.mean() < HALF_A_PIXEL


@pytest.fixture
def measure(test_data, tmp_path):
    """Differences (3, h, w) in grey levels on the first and the last frame of a validation split."""

    def differences(data: str, resize: str, size: tuple[int, int], fixed: bool) -> list[np.ndarray]:
        dataset = datasets.open(f"{data}:{test_data / 'data' / data}#val")
        preprocess = PreprocessSettings(resize=resize).at(*size)
        net = nets.build("enet", dataset.class_map.num_classes).eval()
        save_checkpoint(tmp_path / "net.edgeseg", net, ModelInfo("enet", dataset.class_map, preprocess))
        frames = [dataset.image(index) for index in (0, len(dataset) - 1)]
        graph = export(tmp_path / "net.edgeseg", tmp_path, frame=frames[0].shape[:2] if fixed else None).path
        unit = 255 * np.asarray(preprocess.std)[:, None, None]
        return [np.abs(by_graph(graph, frame) - by_training(frame, preprocess)) * unit for frame in frames]

    return differences
