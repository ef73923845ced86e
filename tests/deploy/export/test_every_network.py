"""Every network's deployed graph: equal to its checkpoint, and accepted by a real TensorRT parser and builder.

TensorRT for RTX builds without a GPU. It is the nearest part of TensorRT that runs here; no engine is executed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
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


@pytest.fixture(params=NETWORKS, ids=lambda case: "-".join([case[0], *case[1].values()]))
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A deployed graph for a camera of another size, its network's height no multiple of any stride."""
    name, options = request.param
    class_map = datasets.open("synthetic:2").class_map
    torch.manual_seed(0)
    net = nets.build(name, class_map.num_classes, **options).train()
    with torch.no_grad():
        for _ in range(3):  # real statistics: untouched batch norms let activations of an untrained network explode
            net(torch.rand(2, 3, 96, 160))
    info = ModelInfo(name, class_map, Preprocess(100, 160), options=options)
    save_checkpoint(tmp_path / "net.edgeseg", net.eval(), info)
    report = export(
        tmp_path / "net.edgeseg", tmp_path / "out", frame=(128, 192), emit=("features",), data="synthetic:2#test"
    )
    assert report.to_dict()["parity"]["argmax_agreement"] > 0.999
    return Path(report.path)


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
