"""Two models that are the same, and pairs with one fault injected, which parity has to name."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from edgeseg.cli import app
from edgeseg.deploy.export import export
from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.parity import parity
from edgeseg.deploy.parity.locate import locate
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.seal import set_metadata
from edgeseg.errors import ConfigError, DataError, ModelError
from edgeseg.modelinfo import METADATA_KEY, ModelInfo
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture(autouse=True)
def dataset(make_dataset, monkeypatch):
    """Smooth frames: on noise a network of a few layers is as unsure everywhere."""
    data = make_dataset(shape=(96, 144), count=3)
    rows, columns = np.mgrid[:96, :144]
    for k, image in enumerate(data.images):
        waves = [np.sin(rows / (5 + k + c)) + np.cos(columns / (7 + c)) for c in range(3)]
        image[:] = np.clip(127 + 60 * np.stack(waves, 2) + 0.1 * image, 0, 255)
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    return data


def resealed(path: Path, into: Path, change) -> Path:
    """A graph changed and sealed anew, as if a faulty exporter had written it."""
    model = onnx.load(path)
    change(model.graph)
    text = next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
    info = ModelInfo.from_json(text, "test")
    set_metadata(model, info, ExportRecord.from_dict(info.extra[EXPORT_KEY], "test"))
    onnx.save(model, into)
    return into


def scaled(checkpoint: Path, into: Path, layer: str, factor: float = 1.1) -> Path:
    loaded = load_checkpoint(checkpoint)
    net = copy.deepcopy(loaded.net)
    with torch.no_grad():
        net.get_submodule(layer).weight.mul_(factor)
    save_checkpoint(into, net, loaded.info)
    return into


def test_a_graph_and_its_checkpoint_pass(checkpoint, exported_with_logits):
    report = parity(checkpoint, exported_with_logits, "memory")
    assert report.verdict == "pass" and report.broken == () and report.parted_at is None
    assert report.argmax_agreement > 0.998 and report.region_overlap > 0.97
    assert abs(report.delta_miou) < 5e-4 and report.frame_rank_correlation == pytest.approx(1)
    assert report.max_abs_logit_error >= report.mean_abs_logit_error
    assert set(report.delta_iou) == {"road", "car", "tree", "sky", "person"}
    assert report.delta_iou["person"] is None


def slow_miou(labels, predictions):
    label, prediction = np.stack(labels), np.stack(predictions)
    known = label != 255
    classes = np.unique(label[known])
    hits = [((label == k) & (prediction == k)).sum() for k in classes]
    unions = [(((label == k) | (prediction == k)) & known).sum() for k in classes]
    return np.mean(np.array(hits) / unions)


def test_figures_agree_with_the_outputs(exported_with_logits, make_checkpoint, tmp_path, dataset):
    other = export(make_checkpoint(mean=(0.5, 0.5, 0.6)), tmp_path, emit=("logits",)).path
    report = parity(exported_with_logits, other, "memory")
    with open_runner(exported_with_logits) as a, open_runner(other) as b:
        pairs = [(a.infer(image), b.infer(image)) for image in dataset.images]
    errors = [np.abs(x["logits"] - y["logits"]) for x, y in pairs]
    assert report.max_abs_logit_error == pytest.approx(np.max(errors), rel=1e-5)
    assert report.mean_abs_logit_error == pytest.approx(np.mean(errors), rel=1e-5)
    agreement = np.mean([x["class_map"] == y["class_map"] for x, y in pairs])
    assert report.argmax_agreement == pytest.approx(agreement)
    # Labels are 3/2 of the network's 64×96: the middle of its pixel k is at 3/2 · (k + 1/2) of theirs.
    rows, columns = ((np.arange(n) * 2 + 1) * 3 // 4 for n in (64, 96))
    labels = [label[rows][:, columns] for label in dataset.labels]
    mious = [slow_miou(labels, [pair[k]["class_map"] for pair in pairs]) for k in range(2)]
    assert (report.miou_a, report.miou_b) == pytest.approx(tuple(mious))
    assert report.delta_miou == pytest.approx(mious[1] - mious[0])


def test_graphs_without_logits_have_no_logit_error(exported):
    report = parity(exported, exported, "memory")
    assert report.max_abs_logit_error is None and report.mean_abs_logit_error is None
    assert report.argmax_agreement == report.region_overlap == 1 and report.verdict == "pass"


def test_a_plain_network_is_compared_by_its_logits(exported_with_logits, checkpoint, tmp_path):
    plain = export(checkpoint, tmp_path, outputs="logits").path
    report = parity(plain, exported_with_logits, "memory")
    assert report.verdict == "pass" and report.region_overlap > 0.97


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"mean": (0.45, 0.5, 0.6)}, "mean"),
        ({"std": (0.2, 0.3, 0.35)}, "std"),
        ({"channel_order": "rgb", "mean": (0.6, 0.5, 0.4), "std": (0.25, 0.3, 0.2)}, "channel order"),
    ],
)
def test_a_wrong_normalisation_is_named(exported, make_checkpoint, tmp_path, settings, what):
    other = export(make_checkpoint(**settings), tmp_path).path
    report = parity(exported, other, "memory", {"agreement": 1.0})
    assert report.verdict == "fail"
    assert (report.parted_at.stage, report.parted_at.what) == ("preprocessing", what)
    if what == "mean":
        assert report.parted_at.detail == "(0.4, 0.5, 0.6) and (0.45, 0.5, 0.6)"


def test_a_wrong_mean_of_the_checkpoint_is_named(exported, make_checkpoint):
    report = parity(make_checkpoint(mean=(0.4, 0.5, 0.55)), exported, "memory", {"agreement": 1.0})
    assert (report.parted_at.stage, report.parted_at.what) == ("preprocessing", "mean")


@pytest.mark.parametrize("resize", ["letterbox", "crop"])
def test_a_wrong_mean_is_named_where_the_frame_is_placed(make_checkpoint, tmp_path, resize):
    settings = {"size": (64, 64), "resize": resize}
    paths = [
        export(make_checkpoint(mean=mean, **settings), tmp_path / str(mean[0]), frame=(96, 144)).path
        for mean in ((0.4, 0.5, 0.6), (0.5, 0.5, 0.6))
    ]
    report = parity(*paths, "memory", {"agreement": 1.0})
    assert (report.parted_at.stage, report.parted_at.what) == ("preprocessing", "mean")


def shift_resize(graph):
    node = next(n for n in graph.node if n.op_type == "Resize")
    mode = next(a for a in node.attribute if a.name == "coordinate_transformation_mode")
    mode.s = b"asymmetric"


def test_a_shifted_resize_is_named(exported, tmp_path):
    other = resealed(exported, tmp_path / "shifted.onnx", shift_resize)
    report = parity(exported, other, "memory", {"agreement": 1.0})
    assert report.verdict == "fail"
    assert (report.parted_at.stage, report.parted_at.what) == ("resize", "resize")


LAYER = "stage2.1.middle.0"
NODE = "/net/stage2/stage2.1/middle/middle.0/Conv"


@pytest.mark.parametrize("reference", ["graph", "checkpoint"])
def test_a_scaled_layer_is_named(exported, checkpoint, tmp_path, reference):
    other = export(scaled(checkpoint, tmp_path / "scaled.edgeseg", LAYER), tmp_path).path
    report = parity(exported if reference == "graph" else checkpoint, other, "memory", {"agreement": 1.0})
    assert report.verdict == "fail"
    assert (report.parted_at.stage, report.parted_at.what) == ("layer", NODE)


def test_another_temperature_is_named(exported, make_checkpoint, tmp_path, dataset):
    other = export(make_checkpoint(temperature=3.0), tmp_path).path
    with open_runner(exported) as first, open_runner(other) as second:
        parting = locate(first, second, exported, other, dataset.images[0])
    assert (parting.stage, parting.detail) == ("temperature", "1.7 and 3")


def test_equal_graphs_part_at_the_runtime(exported, checkpoint, dataset):
    with open_runner(checkpoint) as first, open_runner(exported) as second:
        assert locate(first, second, checkpoint, exported, dataset.images[0]).stage == "runtime"


def test_fp16_is_run_as_written_unless_the_runtime_is_asked_for(exported_with_logits, checkpoint, tmp_path):
    half = export(checkpoint, tmp_path, emit=("logits",), lower=PrecisionSettings("fp16")).path
    written, run = (parity(exported_with_logits, half, "memory", as_run=as_run) for as_run in (False, True))
    assert [report.models[1]["run"] for report in (written, run)] == ["as written", "onnxruntime"]
    assert written.models[0]["run"] == "onnxruntime"
    # onnxruntime rounds fp16's weights and little else.
    assert written.mean_abs_logit_error > 1.2 * run.mean_abs_logit_error > 0


def test_a_precision_that_is_too_coarse_is_named(exported, checkpoint, tmp_path):
    half = export(checkpoint, tmp_path, lower=PrecisionSettings("fp16")).path
    report = parity(exported, half, "memory", {"agreement": 1.0})
    assert report.verdict == "fail" and report.parted_at.stage == "precision", report.parted_at


def test_what_cannot_be_compared_is_refused(exported, checkpoint, tmp_path, dataset):
    small = export(checkpoint, tmp_path, size=(32, 48)).path
    with pytest.raises(ModelError, match=r"of size 64x96.*of 32x48; export one of them again"):
        parity(exported, small, "memory")
    with pytest.raises(ConfigError, match="agreement must be a share"):
        parity(exported, exported, "memory", {"agreement": 99.0})
    dataset.images.clear()
    dataset.sample_ids = ()
    with pytest.raises(DataError, match="holds no frames to compare on"):
        parity(exported, exported, "memory")


def test_command_gives_the_keys_and_exit_code_1(exported, make_checkpoint, tmp_path):
    other = export(make_checkpoint(mean=(0.0, 0.5, 0.6)), tmp_path).path
    words = ["parity", str(exported), str(other), "--data", "memory", "--json"]
    failed = CliRunner().invoke(app, [*words, "--min-agreement", "1"])
    plain = json.loads(failed.stdout)
    keys = {"max_abs_logit_error", "argmax_agreement", "delta_miou", "frame_rank_correlation", "region_overlap"}
    assert failed.exit_code == 1 and plain["verdict"] == "fail" and keys <= plain.keys()
    assert plain["parted_at"]["what"] == "mean"
    passed = CliRunner().invoke(app, ["parity", str(exported), str(exported), "--data", "memory"])
    assert passed.exit_code == 0 and "pass" in passed.stdout
