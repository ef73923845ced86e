"""OpenVINO against onnxruntime on the same exported graphs."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.deploy.export import export
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ConfigError, DataError, ModelError

pytest.importorskip("openvino")


def test_outputs_are_those_of_onnxruntime(exported_with_logits, frame):
    with open_runner(exported_with_logits, "openvino", threads=1) as a, open_runner(exported_with_logits) as b:
        assert (a.backend, b.backend) == ("openvino", "onnxruntime")
        assert a.info == b.info and a.digest == b.digest and a.size == b.size and a.output_names == b.output_names
        found, expected = a.infer(frame), b.infer(frame)
    for name in expected:
        assert found[name].dtype == expected[name].dtype and found[name].shape == expected[name].shape
    assert found["frame_entropy"] == pytest.approx(expected["frame_entropy"], abs=1e-4)
    assert np.percentile(np.abs(found["logits"] - expected["logits"]), 95) < 1e-3
    assert (found["class_map"] == expected["class_map"]).mean() > 0.999


def test_results_stay_valid_after_the_next_call(exported_with_logits, frame):
    with open_runner(exported_with_logits, "openvino") as runner:
        first = runner.infer(frame)
        kept = {name: array.copy() for name, array in first.items()}
        runner.infer(frame[:, ::-1].copy())
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


def test_plain_network_and_batches_run(checkpoint, tmp_path, frame):
    plain = export(checkpoint, tmp_path / "plain", outputs="logits").path
    many = export(checkpoint, tmp_path / "many", batch=None).path
    with open_runner(plain, "openvino") as runner:
        assert runner.infer(frame)["logits"].shape == (5, 64, 96)
    with open_runner(many, "openvino") as runner:
        assert runner.infer_batch(np.stack([frame] * 3))["class_map"].shape == (3, 64, 96)


def test_frames_of_another_size_are_refused(checkpoint, tmp_path, frame):
    fixed = export(checkpoint, tmp_path, frame=(100, 120)).path
    with open_runner(fixed, "openvino") as runner, pytest.raises(DataError, match=r"takes frames of 100x120, got"):
        runner.infer(frame)
    with pytest.raises(ConfigError, match="exported for --size 64x96, not 40x72"):
        open_runner(fixed, "openvino", size=(40, 72))


def test_altered_and_damaged_graphs_are_refused(exported, tmp_path):
    content = exported.read_bytes()
    altered, cut = tmp_path / "altered.onnx", tmp_path / "cut.onnx"
    altered.write_bytes(content.replace(b"bgr", b"rgb"))
    cut.write_bytes(content[:5000])
    with pytest.raises(ModelError, match=r"altered.onnx: was altered after its export"):
        open_runner(altered, "openvino")
    with pytest.raises(ModelError, match=r"cut.onnx: .*export it again"):
        open_runner(cut, "openvino")


def test_a_precision_that_the_processor_lacks_is_refused(checkpoint, tmp_path, monkeypatch):
    import openvino

    half = export(checkpoint, tmp_path, lower=PrecisionSettings("fp16")).path
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(ModelError, match=r"precision is fp16, for which this processor lacks OpenVINO's FP16"):
        open_runner(half, "openvino")
