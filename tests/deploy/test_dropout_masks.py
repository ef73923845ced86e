"""Graphs with channel masks as an input: every runtime gives what the checkpoint gives with the same masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeseg import nets
from edgeseg.deploy.export import export
from edgeseg.deploy.lint import lint
from edgeseg.deploy.openvino.export import OpenVinoSettings, export_openvino
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import require_outputs
from edgeseg.deploy.tensorrt import BuildSettings, export_engine
from edgeseg.deploy.tensorrt.build import build_plan
from edgeseg.device.strategies import StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.dropout import all_kept, draw_masks
from edgeseg.errors import ConfigError, ModelError, UsageError
from edgeseg.frames import Frame
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess


@pytest.fixture(scope="module")
def masked(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(
        checkpoint, tmp_path_factory.mktemp("masked"), frame=(100, 120), emit=("logits", "dropout-masks")
    ).path


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (100, 120, 3), np.uint8)


def near(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return bool(np.percentile(np.abs(a["logits"] - b["logits"]), 95) < 1e-3)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_runtimes_drop_what_the_checkpoint_drops(masked, checkpoint, image, backend):
    pytest.importorskip(backend)
    with open_runner(masked, backend) as runner, open_runner(checkpoint) as reference:
        assert runner.mask_layers == reference.mask_layers
        masks = draw_masks(runner.mask_layers, 2, seed=5)
        plain = runner.infer(image)
        assert near(plain, reference.infer(image)), "all kept unless told otherwise"
        for drawn in masks:
            got = runner.infer_masked(image, drawn)
            assert near(got, reference.infer_masked(image, drawn))
            assert not near(got, plain)
        assert near(runner.infer_masked(image, all_kept(runner.mask_layers, 1)[0]), plain)
        assert near(runner.infer(image), plain), "a mask is of one call"


def test_metadata_names_the_layers_and_the_graph_is_parsed(masked):
    model = onnx.load(masked)
    assert [i.name for i in model.graph.input] == ["frame", "dropout_masks"]
    assert lint(model) == []
    with open_runner(masked) as runner:
        layers = runner.mask_layers
    assert model.graph.input[1].type.tensor_type.shape.dim[1].dim_value == sum(layer.channels for layer in layers)
    assert layers[0].name == "down1.dropout" and layers[0].channels == 64
    assert build_plan(pytest.importorskip("tensorrt_rtx"), masked, BuildSettings(targets=("SM86",))).content


def test_engine_is_refused_before_it_is_built(masked, tmp_path):
    with pytest.raises(UsageError, match="has dropout_masks as an input, and an engine takes frames alone"):
        export_engine(masked, tmp_path, target=(None, None))


def test_batches_and_lower_precision_take_masks(checkpoint, tmp_path, image):
    half = PrecisionSettings("fp16")
    path = export(checkpoint, tmp_path, emit=("logits", "dropout-masks"), batch=None, lower=half).path
    with open_runner(path) as runner, open_runner(checkpoint) as reference:
        batch = runner.infer_batch(np.stack([image] * 3))
        assert batch["class_map"].shape == (3, 64, 96)
        drawn = draw_masks(runner.mask_layers, 1, seed=1)[0]
        close = np.abs(runner.infer_masked(image, drawn)["logits"] - reference.infer_masked(image, drawn)["logits"])
        assert np.percentile(close, 90) < 0.1
        probe = GraphProbe(onnx.load(path), runner.info, "graph")
        assert probe.network_input(image) is not None


def test_openvinos_own_model_takes_masks(masked, tmp_path, image):
    pytest.importorskip("openvino")
    path = export_openvino(masked, tmp_path, OpenVinoSettings("fp32", "synthetic:2#test", 1)).path
    with open_runner(path) as runner, open_runner(masked) as reference:
        drawn = draw_masks(runner.mask_layers, 1, seed=1)[0]
        assert near(runner.infer_masked(image, drawn), reference.infer_masked(image, drawn))


def test_network_without_dropout_is_told(tmp_path, class_map):
    net = nets.build("icnet", 5, backbone="resnet18").eval()
    info = ModelInfo("icnet", class_map, Preprocess(64, 96), options={"backbone": "resnet18"})
    save_checkpoint(tmp_path / "net.edgeseg", net, info)
    with pytest.raises(ConfigError, match=r"icnet drops no channels in training .*leave dropout-masks out"):
        export(tmp_path / "net.edgeseg", tmp_path / "out", emit=("dropout-masks",))
    with (
        open_runner(tmp_path / "net.edgeseg") as runner,
        pytest.raises(ModelError, match=r"strategy x needs a network that drops channels .*icnet drops none"),
    ):
        require_outputs(runner, ("logits", "dropout_masks"), "strategy x")


def test_graph_without_masks_names_the_export_option(exported_with_logits, exported):
    for path, option in ((exported_with_logits, "dropout-masks"), (exported, "dropout-masks,logits")):
        with open_runner(path) as runner, pytest.raises(ModelError, match=f"export it with --emit {option}$"):
            require_outputs(runner, ("logits", "dropout_masks"), "strategy mc-dropout")


def test_strategy_is_the_same_on_checkpoint_and_graph(masked, checkpoint, image):
    strategy = build("mc-dropout", StrategyOptions(dropout_passes=3, seed=4))
    found = []
    for path in (masked, checkpoint):
        with open_runner(path) as runner:
            view = FrameView(Frame(image, "f", 0, None, "d"), runner.infer(image), runner.info, 300, masked=runner)
            found.append(strategy.uncertainty(view).astype(int))
    assert np.percentile(np.abs(found[0] - found[1]), 95) <= 1
