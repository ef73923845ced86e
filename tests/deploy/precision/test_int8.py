from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgeseg.deploy.export import export
from edgeseg.deploy.lint import lint
from edgeseg.deploy.parity.graphs import GraphProbe
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.precision.fp16 import to_fp16
from edgeseg.deploy.precision.int8 import layers, quantised_inputs, to_int8
from edgeseg.deploy.precision.ranges import activation_ranges
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ConfigError, DataError, EdgesegError, ModelError


@pytest.fixture
def dataset(make_dataset, monkeypatch):
    data = make_dataset(count=3)
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    return data


@pytest.fixture(scope="module")
def model(exported_with_logits):
    return onnx.load(exported_with_logits)


@pytest.fixture(scope="module")
def info(exported_with_logits):
    with open_runner(exported_with_logits) as runner:
        return runner.info


@pytest.fixture(scope="module")
def ranges(model, info):
    frames = [np.random.default_rng(s).integers(0, 256, (70, 90, 3), np.uint8) for s in (0, 1)]
    probe = GraphProbe(model, info, "graph")
    return activation_ranges(probe, frames, quantised_inputs(model, layers(model)), "minmax")["minmax"]


@pytest.fixture(scope="module")
def quantised(model, ranges):
    return to_int8(model, layers(model), ranges)


def test_form_is_the_one_that_tensorrt_takes(quantised, model):
    onnx.checker.check_model(quantised, full_check=True)
    assert lint(quantised) == []
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in quantised.graph.initializer}
    pairs = [n for n in quantised.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all(weights[n.input[2]].dtype == np.int8 and not weights[n.input[2]].any() for n in pairs)
    assert all(weights[n.input[1]].min() > 0 for n in pairs)
    producers = {name: n for n in quantised.graph.node for name in n.output}
    names = set(layers(model))
    for node in quantised.graph.node:
        if node.name in names:
            assert [producers[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
            assert all(name in weights and weights[name].dtype == np.float32 for name in node.input[2:])


def test_weights_are_within_half_a_step_per_channel(quantised, model):
    sources = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in quantised.graph.initializer}
    checked = 0
    for node in quantised.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0].endswith("_int8"):
            source = sources[node.input[0][: -len("_int8")]]
            axis = node.attribute[0].i
            scale = stored[node.input[1]].reshape([-1 if a == axis else 1 for a in range(source.ndim)])
            assert len(stored[node.input[1]]) == source.shape[axis] and axis in (0, 1)
            assert np.abs(stored[node.input[0]] * scale - source).max() <= scale.max() / 2 + 1e-6
            checked += 1
    assert checked == len(layers(model))


def test_channels_that_died_are_zero_and_not_infinite(model, ranges):
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    node = next(n for n in changed.graph.node if n.name == layers(model)[3])
    weight = next(w for w in changed.graph.initializer if w.name == node.input[1])
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0], values[1] = 0.0, 1e-40
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    lowered = {w.name: onnx.numpy_helper.to_array(w) for w in to_int8(changed, [node.name], ranges).graph.initializer}
    assert (lowered[f"{weight.name}_scale"] > 0).all()
    assert not lowered[f"{weight.name}_int8"][:2].any()


def test_head_stays_fp32(model):
    assert not [name for name in layers(model) if "classifier" in name]
    assert len(layers(model)) > 70


def test_activation_is_rounded_to_its_steps(quantised, info, model, ranges):
    frame = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    source = quantised_inputs(model, layers(model))[5]
    step = ranges[source] / 127
    out = GraphProbe(quantised, info, "graph").read(frame, [source, f"{source}_dequantised"])
    expected = np.clip(np.rint(out[source] / np.float32(step)), -128, 127) * np.float32(step)
    assert out[f"{source}_dequantised"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_ranges_agree_with_numpy(model, info, method):
    probe = GraphProbe(model, info, "graph")
    frames = [np.random.default_rng(s).integers(0, 256, (70, 90, 3), np.uint8) for s in (0, 1)]
    names = quantised_inputs(model, layers(model))[:2]
    found = activation_ranges(probe, frames, names, method)[method]
    for name in names:
        values = [np.abs(probe.read(frame, [name])[name]).ravel() for frame in frames]
        if method == "minmax":
            assert found[name] == max(v.max() for v in values)
        else:
            expected = np.mean([np.quantile(v, 0.9999, method="inverted_cdf") for v in values])
            assert found[name] == pytest.approx(expected, rel=1e-5)


def test_frames_that_say_nothing_are_refused(model, info):
    probe = GraphProbe(model, info, "graph")
    with pytest.raises(DataError, match="--calibrate holds no frames"):
        activation_ranges(probe, [], ["x"], "minmax")
    dead = onnx.ModelProto()
    dead.CopyFrom(model)
    name = quantised_inputs(model, layers(model))[3]
    for node in dead.graph.node:
        if name in node.output:
            node.output[0] = "elsewhere"
    dead.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    dead.graph.node.append(onnx.helper.make_node("Mul", ["elsewhere", "zero"], [name]))
    nodes = list(dead.graph.node)
    place = next(i for i, n in enumerate(nodes) if "elsewhere" in n.output)
    nodes.insert(place + 1, nodes.pop())
    del dead.graph.node[:]
    dead.graph.node.extend(nodes)
    with pytest.raises(DataError, match=r"is zero or not finite on all 1 frames"):
        activation_ranges(GraphProbe(dead, info, "graph"), [np.zeros((8, 8, 3), np.uint8)], [name], "minmax")


def test_export_writes_what_it_did(checkpoint, tmp_path, dataset):
    settings = PrecisionSettings("int8", "memory", max_miou_drop=100, min_region_overlap=0, min_agreement=0)
    report = export(checkpoint, tmp_path, lower=settings)
    figures = report.record.parity
    assert report.path.name == "small-int8.onnx" and report.record.precision == "int8"
    assert figures["measured_on"] == "memory" and figures["measured_frames"] == 3
    tried = {name: loss["disagreement"] for name, loss in figures["calibration_methods"].items()}
    assert set(tried) == {"percentile", "entropy", "minmax"}
    assert figures["calibration_method"] == min(tried, key=tried.get)
    assert figures["lowered_layers"] == figures["layers"] and figures["kept_fp32"] == {}
    assert figures["cost_against"] == "labels" and figures["precision_cost"]["disagreement"] > 0
    with open_runner(report.path) as graph, open_runner(checkpoint) as reference:
        a, b = graph.infer(dataset.images[0]), reference.infer(dataset.images[0])
    assert (a["class_map"] == b["class_map"]).mean() > 0.7


def test_bounds_leave_the_most_harmful_blocks_in_fp32(checkpoint, tmp_path, dataset):
    settings = PrecisionSettings("int8", "memory", max_miou_drop=100, min_region_overlap=1.0, min_agreement=0)
    try:
        figures = export(checkpoint, tmp_path, lower=settings).record.parity
    except ModelError as error:
        assert "however few layers are lowered" in str(error)
        return
    assert figures["precision_cost"]["region_overlap"] == 1.0
    harm = list(figures["kept_fp32"].values())
    assert harm == sorted(harm, reverse=True)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"precision": "int8"}, ConfigError, "--precision int8 needs --calibrate D"),
        ({"precision": "int8-fp16"}, ConfigError, "--precision int8-fp16 needs --calibrate D"),
        ({"precision": "int4"}, ConfigError, "--precision int4: choose from fp32, fp16, int8, int8-fp16"),
        ({"calibrate": "x"}, ConfigError, "--calibrate belongs to a lower --precision, not to fp32"),
        ({"precision": "int8", "calibrate": "x", "frames": 0}, ConfigError, "--calibration-frames must be at least 1"),
        (
            {"precision": "int8", "calibrate": "x", "method": "best"},
            ConfigError,
            "choose from auto, percentile, entropy, minmax",
        ),
        ({"precision": "int8", "calibrate": "x", "max_miou_drop": -1}, ConfigError, "--max-miou-drop must be at least"),
    ],
)
def test_unusable_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        PrecisionSettings(**settings)


@pytest.mark.parametrize("spec", ["camvid:nowhere#train", "nolayout:x", "folder:nowhere"])
def test_calibration_data_that_is_not_there_stops_the_export(checkpoint, tmp_path, spec):
    with pytest.raises(EdgesegError, match=r"nowhere|nolayout"):
        export(checkpoint, tmp_path / "out", lower=PrecisionSettings("int8", spec))
    assert not (tmp_path / "out").exists()


def test_empty_calibration_data_is_refused(checkpoint, tmp_path, dataset):
    dataset.sample_ids = ()
    with pytest.raises(DataError, match=r"--calibrate memory: holds no frames"):
        export(checkpoint, tmp_path / "out", lower=PrecisionSettings("int8", "memory"))


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_frames_that_show_nothing_are_refused(checkpoint, tmp_path, dataset, precision):
    dataset.images[1] = np.full_like(dataset.images[1], 7)
    with pytest.raises(DataError, match=r"memory: sample1 is of one colour \(1 of 3 frames are\)"):
        export(checkpoint, tmp_path / "out", lower=PrecisionSettings(precision, "memory"))
    assert not (tmp_path / "out").exists()


def test_the_mix_is_int8_and_fp16_and_in_the_form_that_tensorrt_takes(model, ranges):
    mixed = to_fp16(to_int8(model, layers(model), ranges))
    onnx.checker.check_model(mixed, full_check=True)
    assert lint(mixed) == []
    inferred = onnx.shape_inference.infer_shapes(mixed, strict_mode=True).graph
    types = {v.name: v.type.tensor_type.elem_type for v in inferred.value_info}
    quantised = set(layers(model))
    assert {types[n.output[0]] for n in mixed.graph.node if n.name in quantised} == {onnx.TensorProto.FLOAT}
    between = [n for n in mixed.graph.node if n.op_type == "PRelu"]
    assert between and {types[n.output[0]] for n in between} == {onnx.TensorProto.FLOAT16}
