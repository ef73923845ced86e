"""Every network's deployed graph: equal to its checkpoint, and accepted by a real TensorRT parser and builder.

TensorRT for RTX builds without a GPU. It is the nearest part of TensorRT that runs here; no engine is executed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgeseg import datasets, nets
from edgeseg.deploy.export import export
from edgeseg.deploy.lint import lint
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision.fp16 import to_fp16
from edgeseg.deploy.precision.int8 import layers, quantised_inputs, to_int8
from edgeseg.deploy.precision.ranges import activation_ranges
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.sample_frames import synthetic_frame
from edgeseg.deploy.seal import set_metadata
from edgeseg.deploy.tensorrt import BuildSettings
from edgeseg.deploy.tensorrt.build import build_plan
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess

NETWORKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("enet", {}),
    ("erfnet", {}),
    ("icnet", {"backbone": "resnet18"}),
    ("icnet", {"backbone": "resnet50"}),
    ("deeplabv3plus", {"backbone": "mobilenetv2"}),
    ("deeplabv3plus", {"backbone": "efficientnet_lite0"}),
    ("deeplabv3plus", {"backbone": "resnet50"}),
    ("deeplabv3", {}),
)


def write_checkpoint(path: Path, name: str, options: dict[str, Any]) -> Path:
    """A network of 100×160, its height no multiple of any stride."""
    class_map = datasets.open("synthetic:2").class_map
    torch.manual_seed(0)
    net = nets.build(name, class_map.num_classes, **options).train()
    with torch.no_grad():
        for _ in range(3):  # real statistics: untouched batch norms let activations of an untrained network explode
            net(torch.rand(2, 3, 96, 160))
    info = ModelInfo(name, class_map, Preprocess(100, 160), options=options)
    save_checkpoint(path, net.eval(), info)
    return path


@pytest.fixture(params=NETWORKS, ids=lambda case: "-".join([case[0], *case[1].values()]))
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "net.edgeseg", *request.param)


@pytest.fixture
def graph(checkpoint: Path, tmp_path: Path) -> Path:
    """A deployed graph for a camera of another size."""
    report = export(checkpoint, tmp_path / "out", frame=(128, 192), emit=("features",), data="synthetic:2#test")
    assert report.to_dict()["parity"]["argmax_agreement"] > 0.999
    return Path(report.path)


def said_by_torch(checkpoint: Path, size: tuple[int, int], frame: np.ndarray) -> np.ndarray:
    """Class map of the network as it was trained: neither rewritten for deployment nor traced."""
    with open_runner(checkpoint, size=size) as runner:
        return np.asarray(runner.infer(frame)["logits"].argmax(0))


def test_a_dynamic_batch_gives_what_single_frames_give(checkpoint: Path, tmp_path: Path) -> None:
    size = (44, 68)
    frames = np.stack([synthetic_frame(70, 90, seed) for seed in range(3)])
    path = export(checkpoint, tmp_path / "out", size=size, emit=("logits", "top2"), batch=None).path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    together = session.run(names, {"frame": frames})
    for position, frame in enumerate(frames):
        single = session.run(names, {"frame": frame[None]})
        for name, one, all_three in zip(names, single, together, strict=True):
            assert len(one) == 1 and len(all_three) == 3, name
            difference = np.abs(one[0].astype(np.float64) - all_three[position])
            if one.dtype == np.uint8:  # a value beside the edge between two may round to either
                assert (difference > 0).mean() < 2e-3, name
            else:
                assert difference.max() < 1e-3 * max(1.0, np.abs(one).max()), name
        found = dict(zip(names, single, strict=True))["class_map"][0]
        assert (found == said_by_torch(checkpoint, size, frame)).mean() > 0.998


def test_enet_at_the_size_of_cityscapes(tmp_path: Path) -> None:
    size = (1024, 2048)
    checkpoint = write_checkpoint(tmp_path / "net.edgeseg", "enet", {})
    path = export(checkpoint, tmp_path / "out", size=size, frame=size).path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, *size, 3]
    frame = synthetic_frame(*size)
    outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"frame": frame[None]}), strict=True))
    classes = outputs["cell_probs"].shape[1]
    assert {name: array.shape for name, array in outputs.items()} == {
        "class_map": (1, 1024, 2048),
        "entropy": (1, 1024, 2048),
        "cell_probs": (1, classes, 128, 256),
        "cell_entropy": (1, 32, 64),
        "frame_entropy": (1,),
    }
    assert (outputs["class_map"][0] == said_by_torch(checkpoint, size, frame)).mean() > 0.998


def require_builds(graph: Path) -> None:
    """Fails unless the parser takes the graph and the builder makes an engine of it."""
    trt = pytest.importorskip("tensorrt_rtx")
    assert build_plan(trt, graph, BuildSettings(targets=("SM75", "SM86"))).content


def test_tensorrt_parses_and_builds_it_in_every_precision(graph: Path, tmp_path: Path) -> None:
    require_builds(graph)
    model = onnx.load(graph)
    with open_runner(graph) as runner:
        probe = GraphProbe(model, runner.info, "graph")
    names = layers(model)
    ranges = activation_ranges(probe, [synthetic_frame(128, 192)], quantised_inputs(model, names), "percentile")[
        "percentile"
    ]
    for name, lowered in (("fp16", to_fp16(model)), ("int8", to_int8(model, names, ranges))):
        onnx.checker.check_model(lowered, full_check=True)
        assert lint(lowered) == []
        set_metadata(lowered, runner.info, replace(runner.export, precision=name))
        onnx.save(lowered, tmp_path / f"{name}.onnx")
        require_builds(tmp_path / f"{name}.onnx")
