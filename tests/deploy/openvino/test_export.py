"""OpenVINO's own form: what it computes, what NNCF makes of it, and files that were tampered with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from edgeseg.cli import app
from edgeseg.deploy.export import export
from edgeseg.deploy.openvino.export import OpenVinoSettings, export_openvino
from edgeseg.deploy.openvino.model_file import weights_of
from edgeseg.deploy.openvino.quantise import Quantiser
from edgeseg.deploy.parity import parity
from edgeseg.deploy.precision import PrecisionSettings
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.openvino import lacking, read_model
from edgeseg.errors import ConfigError, DataError, MissingDependencyError, ModelError, UsageError

openvino = pytest.importorskip("openvino")


@pytest.fixture
def dataset(make_dataset, monkeypatch):
    data = make_dataset(count=3)
    monkeypatch.setattr("edgeseg.datasets.open", lambda spec: data)
    return data


@pytest.fixture
def written(exported, tmp_path) -> Path:
    return export_openvino(exported, tmp_path / "out").path


def test_it_gives_what_the_graph_gives(exported, tmp_path, frame):
    report = export_openvino(exported, tmp_path)
    assert report.path.name == "small-fp32.xml" and json.loads(report.report.read_text())["precision"] == "fp32"
    with open_runner(report.path) as a, open_runner(exported) as b:
        assert a.backend == "openvino" and a.digest == report.digest
        assert a.info.class_map == b.info.class_map and a.size == b.size and a.output_names == b.output_names
        found, expected = a.infer(frame), b.infer(frame)
    assert (found["class_map"] == expected["class_map"]).mean() > 0.999
    assert found["frame_entropy"] == pytest.approx(expected["frame_entropy"], abs=1e-4)


def test_bf16_is_computed_in_bf16_and_measured(exported, tmp_path, dataset):
    report = export_openvino(exported, tmp_path, OpenVinoSettings("bf16", "memory"))
    cost = report.record.parity["precision_cost"]
    if lacking("bf16"):
        assert cost == "not measured: no bf16 on this processor"
        return
    assert 0 < cost["disagreement"] < 0.1
    compared = parity(exported, report.path, "memory", {"agreement": 1.0})
    assert compared.models[1]["precision"] == "bf16" and 0 < 1 - compared.argmax_agreement < 0.1
    assert (
        compared.parted_at.stage == "precision" and "small-bf16.xml cannot be looked into" in compared.parted_at.detail
    )


def test_what_was_not_measured_is_called_so(exported, tmp_path):
    report = export_openvino(exported, tmp_path, OpenVinoSettings("bf16"))
    assert report.to_dict()["parity"]["precision_cost"] == "not measured"


def quantisers_of(model) -> int:
    return sum(op.get_type_name() == "FakeQuantize" for op in model.get_ops())


def test_int8_is_nncfs_and_the_head_stays(exported_with_logits, tmp_path, dataset, capsys):
    pytest.importorskip("nncf")
    settings = OpenVinoSettings("int8", "memory", max_miou_drop=100, min_region_overlap=0)
    report = export_openvino(exported_with_logits, tmp_path, settings)
    figures = report.record.parity
    assert figures["lowered_layers"] == figures["layers"] > 70 and figures["kept_fp32"] == {}
    assert figures["quantised_by"].startswith("nncf") and figures["measured_on"] == "memory"
    assert 0 < figures["precision_cost"]["disagreement"] < 0.3
    assert capsys.readouterr().out == ""
    assert quantisers_of(read_model(report.path)) > 70
    with open_runner(report.path) as graph, open_runner(exported_with_logits) as reference:
        a, b = graph.infer(dataset.images[0]), reference.infer(dataset.images[0])
    assert (a["class_map"] == b["class_map"]).mean() > 0.7
    found = {op.get_friendly_name(): op for op in read_model(report.path).get_ops()}
    quantiser = Quantiser(read_model(exported_with_logits), [])
    assert head_of(quantiser) and not any(_quantised(found[name]) for name in head_of(quantiser))
    assert all(_quantised(found[name]) for name in quantiser.layers)


def test_a_graph_without_logits_is_quantised_in_the_same_places(exported, exported_with_logits):
    pytest.importorskip("nncf")
    kinds = [Quantiser(read_model(path), []) for path in (exported, exported_with_logits)]
    assert kinds[0].layers == kinds[1].layers
    assert set(head_of(kinds[0])) <= kinds[0].outside


def head_of(quantiser) -> list[str]:
    """Convolutions of the classifier, by the name that torch gives it."""
    return [
        op.get_friendly_name()
        for op in quantiser.model.get_ops()
        if "Convolution" in op.get_type_name() and "classifier" in op.get_friendly_name()
    ]


def test_layers_left_out_stay_fp32(exported_with_logits, dataset):
    pytest.importorskip("nncf")
    quantiser = Quantiser(read_model(exported_with_logits), [image[None] for image in dataset.images[:1]])
    kept = quantiser.layers[5]
    found = {
        op.get_friendly_name(): op for op in quantiser.quantised([n for n in quantiser.layers if n != kept]).get_ops()
    }
    assert not _quantised(found[kept])
    assert all(_quantised(found[name]) for name in quantiser.layers[:5])


def _quantised(op) -> bool:
    """Whether the weights are int8, scaled back to floats on their way in."""
    source = op
    port = 1
    while source.get_type_name() != "Constant":
        source, port = source.inputs()[port].get_source_output().get_node(), 0
    return source.get_element_type().get_type_name() == "i8"


def tampered_weights(path):
    content = bytearray(weights_of(path).read_bytes())
    content[len(content) // 2] ^= 1
    weights_of(path).write_bytes(content)


def tampered_description(path):
    path.write_bytes(path.read_bytes().replace(b"bgr", b"rgb", 1))


def unsealed(path):
    path.write_bytes(path.read_bytes().rsplit(b"<!--", 1)[0])


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (tampered_weights, r"small-fp32.xml: it or small-fp32.bin was altered after its export; export it again"),
        (tampered_description, r"small-fp32.xml: it or small-fp32.bin was altered"),
        (unsealed, r"small-fp32.xml: has no seal of edgeseg export"),
        (lambda path: weights_of(path).unlink(), r"small-fp32.bin: no such file; small-fp32.xml needs its weights"),
    ],
)
def test_altered_files_are_refused(written, tamper, message):
    tamper(written)
    with pytest.raises(ModelError, match=message):
        open_runner(written)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "int8-fp16"}, "--precision int8-fp16 with --openvino: choose from fp32, fp16, bf16, int8"),
        ({"precision": "int8"}, "--precision int8 needs --calibrate D"),
        ({"frames": 0}, "--calibration-frames must be at least 1"),
        ({"precision": "bf16", "min_agreement": 0.99}, "bound int8 alone with --openvino.*in bf16; leave them out"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        OpenVinoSettings(**settings)


def test_help_tells_the_bounds_that_hold_where_none_is_given():
    help_of = {option.name: option.help for option in get_command(app).commands["export"].params}
    texts = [help_of[name] for name in ("max_miou_drop", "min_region_overlap", "min_agreement")]
    for precision in ("fp16", "int8"):
        bounds = PrecisionSettings(precision, "memory").bounds
        told = [float(re.search(rf"{precision}: ([\d.]+\d)", text)[1]) for text in texts]
        assert told == [bounds.miou_points, bounds.region_overlap, bounds.agreement]
    own = OpenVinoSettings("int8", "memory").bounds
    assert [own.miou_points, own.region_overlap] == told[:2] and own.agreement == 0
    assert "With --openvino" in texts[2] and "this one only where it is given" in texts[2]


def test_it_starts_from_fp32_alone(checkpoint, tmp_path):
    half = export(checkpoint, tmp_path, lower=PrecisionSettings("fp16")).path
    with pytest.raises(UsageError, match=r"starts from a graph in fp32, this one is fp16"):
        export_openvino(half, tmp_path / "out")


def test_empty_calibration_data_is_refused(exported, tmp_path, dataset):
    dataset.sample_ids = ()
    with pytest.raises(DataError, match=r"--calibrate memory: holds no frames"):
        export_openvino(exported, tmp_path / "out", OpenVinoSettings("int8", "memory"))
    assert not (tmp_path / "out").exists()


def test_missing_nncf_gives_the_command(exported, tmp_path, dataset, monkeypatch):
    from edgeseg import errors

    real = errors.import_module

    def without(name):
        if name == "nncf":
            raise ModuleNotFoundError(name=name)
        return real(name)

    monkeypatch.setattr("edgeseg.errors.import_module", without)
    with pytest.raises(MissingDependencyError, match=r"nncf is not installed.*edgeseg\[nncf\]"):
        export_openvino(exported, tmp_path / "out", OpenVinoSettings("int8", "memory"))


def test_command_takes_an_exported_graph(exported, tmp_path, frame):
    done = CliRunner().invoke(app, ["export", str(exported), "--openvino", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["path"].endswith("small-fp32.xml")
    both = CliRunner().invoke(app, ["export", str(exported), "--openvino", "--tensorrt", "--out", str(tmp_path)])
    assert both.exit_code != 0
