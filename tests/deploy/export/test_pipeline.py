from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch

import edgeseg.deploy.export.pipeline as pipeline
from edgeseg.deploy.export import Tolerance, export
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ConfigError, DataError, ModelError, OutputError
from edgeseg.files import digest_file
from edgeseg.modelinfo import METADATA_KEY
from edgeseg.nets.deployed import BASE_OUTPUTS
from edgeseg.nets.runner import TorchRunner

QUANTISED = ("entropy", "cell_probs")


def assert_same_outputs(a: dict, b: dict) -> None:
    """uint8 within one step, floats within 1e-3; where a pooling near a tie chose otherwise, few pixels may differ."""
    for name in a.keys() & b.keys():
        assert a[name].shape == b[name].shape and a[name].dtype == b[name].dtype, name
        tolerance = 1 if name in QUANTISED else 1e-3
        error = np.abs(a[name].astype(np.float64) - b[name].astype(np.float64))
        assert np.quantile(error, 0.95) <= tolerance, (name, error.max())


@pytest.mark.parametrize("shape", [(64, 96), (133, 201), (480, 30)])
def test_graph_agrees_with_the_checkpoint_on_any_frame_size(exported, checkpoint, shape):
    frame = np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)
    with open_runner(exported, threads=1) as graph, open_runner(checkpoint) as reference:
        assert graph.output_names == BASE_OUTPUTS
        assert_same_outputs(graph.infer(frame), reference.infer(frame))


@pytest.mark.parametrize("size", [(50, 70), (33, 65)])
def test_sizes_that_no_stride_divides_export_with_dynamic_batch(make_checkpoint, tmp_path, frame, size):
    source = make_checkpoint(channel_order="rgb")
    report = export(source, tmp_path, size=size, batch=None, emit=("logits", "top2", "features"))
    frames = np.stack([frame, frame[::-1], frame[:, ::-1]])
    with open_runner(report.path) as graph, TorchRunner(source, size=size, emit=("top2", "features")) as reference:
        assert graph.size == size
        assert set(graph.output_names) == set(reference.output_names)
        for count in (1, 3):
            assert_same_outputs(graph.infer_batch(frames[:count]), reference.infer_batch(frames[:count]))


@pytest.mark.parametrize("resize", ["letterbox", "crop"])
def test_letterbox_and_crop_export_for_a_fixed_frame(make_checkpoint, tmp_path, frame, resize):
    source = make_checkpoint(resize=resize)
    report = export(source, tmp_path, frame=(133, 201))
    with open_runner(report.path) as graph, open_runner(source) as reference:
        assert_same_outputs(graph.infer(frame), reference.infer(frame))
        with pytest.raises(DataError, match=r"frames of 133x201, got 64x96.*--frame 64x96"):
            graph.infer(np.zeros((64, 96, 3), np.uint8))


@pytest.mark.parametrize("resize", ["letterbox", "crop"])
def test_letterbox_and_crop_ask_for_the_frame(make_checkpoint, tmp_path, resize):
    with pytest.raises(ConfigError, match=f"{resize}.*--frame HxW"):
        export(make_checkpoint(resize=resize), tmp_path)


def test_fixed_batch_takes_that_many(checkpoint, tmp_path, frame):
    report = export(checkpoint, tmp_path, batch=2)
    with open_runner(report.path) as graph:
        assert graph.infer_batch(np.stack([frame, frame]))["class_map"].shape == (2, 64, 96)
        with pytest.raises(DataError, match="batches of 2, got 1"):
            graph.infer(frame)


def test_plain_network_takes_preprocessed_floats(checkpoint, tmp_path, frame):
    report = export(checkpoint, tmp_path, outputs="logits")
    graph = onnx.load(report.path).graph
    assert [i.name for i in graph.input] == ["input"]
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [o.name for o in graph.output] == ["logits"]
    with open_runner(report.path) as plain, open_runner(checkpoint) as reference:
        assert_same_outputs(plain.infer(frame), reference.infer(frame))


def test_report_and_metadata_say_what_was_exported(checkpoint, tmp_path):
    report = export(checkpoint, tmp_path / "new", frame=(100, 140), opset=15)
    written = json.loads(report.report.read_text())
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"small-fp32.onnx", "small-fp32.json"}
    assert written["digest"] == digest_file(report.path)
    model = onnx.load(report.path)
    assert [o.version for o in model.opset_import if o.domain == ""] == [15]
    record = json.loads({p.key: p.value for p in model.metadata_props}[METADATA_KEY])["extra"]["export"]
    assert record["source_digest"] == digest_file(checkpoint) == written["source_digest"]
    assert record["frame"] == [100, 140]
    assert record["parity"]["frames"] == 4
    assert record["parity"]["argmax_agreement"] > 0.99
    assert "synthetic" in record["parity"]["frames_from"]


def test_graph_passes_onnx_and_has_no_operator_that_tensorrt_refuses(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {"MaxUnpool", "If", "Loop", "NonZero", "ScatterND"}
    assert model.graph.node[0].op_type == "Cast" or all(
        "frame" not in node.input for node in model.graph.node if node.op_type not in ("Cast", "Shape")
    )
    kinds = {o.type.tensor_type.elem_type for o in model.graph.output}
    assert kinds == {onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT}


def test_no_node_is_written_that_no_output_needs(exported, exported_with_logits):
    for path in (exported, exported_with_logits):
        graph = onnx.load(path).graph
        read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        assert all(read.intersection(node.output) for node in graph.node)


def test_comparison_uses_the_dataset_named(checkpoint, tmp_path, make_dataset, monkeypatch):
    dataset = make_dataset(count=3)
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: dataset)
    report = export(checkpoint, tmp_path, data="memory:3")
    assert report.record.parity["frames"] == 3
    assert report.frames == "memory:3"


def test_a_graph_that_differs_is_not_written(checkpoint, tmp_path, monkeypatch):
    traced = pipeline.trace

    def wrong(module, info, record):
        model = traced(module, info, record)
        for weights in model.graph.initializer:
            if weights.name.endswith("classifier.weight"):
                values = onnx.numpy_helper.to_array(weights) * np.float32(1.05)
                weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        return model

    monkeypatch.setattr(pipeline, "trace", wrong)
    with pytest.raises(ModelError, match=r"differs from its checkpoint on 4 frames.*nothing was written"):
        export(checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_stricter_tolerance_is_obeyed(checkpoint, tmp_path):
    with pytest.raises(ModelError, match="95th percentile"):
        export(checkpoint, tmp_path, tolerance=Tolerance(logit=1e-12))
    assert list(tmp_path.iterdir()) == []


class UnpoolingNet(torch.nn.Module):
    def forward(self, x):
        pooled, places = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
        full = torch.nn.functional.interpolate(pooled + places * 0, scale_factor=2)
        return torch.cat([full, full[:, :2]], 1)  # five classes


def test_an_operator_that_tensorrt_refuses_is_named(checkpoint, tmp_path, monkeypatch):
    loaded = pipeline.load_checkpoint(checkpoint)
    broken = pipeline.replace(loaded, net=UnpoolingNet())
    monkeypatch.setattr(pipeline, "load_checkpoint", lambda path: broken)
    with pytest.raises(ModelError, match=r"TensorRT would refuse.*MaxPool"):
        export(checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 18}, "--opset must be 13 to 17, got 18"),
        ({"batch": 0}, "--batch must be at least 1"),
        ({"outputs": "probs"}, "--outputs must be graph or logits"),
        ({"outputs": "logits", "frame": (9, 9)}, "leave out --emit and --frame"),
        ({"outputs": "logits", "emit": ("top2",)}, "leave out --emit and --frame"),
        ({"emit": ("depth",)}, "choose from logits, top2, features"),
        ({"size": (0, 9)}, "--size must be positive, got 0x9"),
    ],
)
def test_unusable_settings_are_refused(checkpoint, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        export(checkpoint, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_unwritable_place_is_named(checkpoint, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        export(checkpoint, tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_full_disk_leaves_neither_graph_nor_folder(checkpoint, tmp_path, monkeypatch):
    def full(path, content):
        if path.suffix == ".json":
            raise OutputError(f"cannot write {path}: No space left on device")
        pipeline_write(path, content)

    pipeline_write = pipeline.write_atomic
    monkeypatch.setattr(pipeline, "write_atomic", full)
    with pytest.raises(OutputError, match="No space left"):
        export(checkpoint, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
