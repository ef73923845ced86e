"""The builder: for real by TensorRT-RTX, which needs no GPU, and by modules that have one version's attributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.deploy.export import export
from edgeseg.deploy.metadata import expected_inputs, expected_outputs
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.tensorrt import BuildSettings, EngineFile, ShapeRange, export_engine
from edgeseg.deploy.tensorrt.build import build_plan
from edgeseg.errors import ConfigError, MissingDependencyError, ModelError

VERSIONS = ("8.6.1", "10.3.0", "10.16.1.11", "11.4.0.106")


@pytest.fixture(scope="session")
def fixed(checkpoint, tmp_path_factory) -> Path:
    """A graph for a camera of 120x160."""
    return export(checkpoint, tmp_path_factory.mktemp("fixed"), frame=(120, 160)).path


@pytest.fixture(scope="session")
def rtx():
    return pytest.importorskip("tensorrt_rtx")


@pytest.fixture
def listed(tensorrt_lists, make_listed, fixed, monkeypatch):
    """Makes the module of a version around the graph, which may be of another precision than it says."""

    def make(version, precision="fp32", cores=0, graph=fixed):
        with OnnxRuntimeRunner(graph) as runner:
            info, record = runner.info, runner.export
        tensors = (list(expected_inputs(info, record)), list(expected_outputs(info, record)))
        object.__setattr__(record, "precision", precision)
        monkeypatch.setattr("edgeseg.deploy.tensorrt.build.read_metadata", lambda *found: (info, record))
        return make_listed(tensorrt_lists / f"{version}.json", tensors, cores)

    return make


def flags(trt):
    return {call[1].name for call in trt.made["config"].log if call[0] == "set_flag"}


def test_rtx_builds_for_two_gpus_that_are_not_there(rtx, fixed, tmp_path):
    settings = BuildSettings(targets=("SM75", "SM86"), workspace_mb=64, timing_cache=tmp_path / "timing")
    plan = build_plan(rtx, fixed, settings)
    assert (plan.typing, plan.export.frame, plan.info.network) == ("strong", (120, 160), "enet")
    assert len(plan.content) > 100_000
    assert (tmp_path / "timing").stat().st_size > 0


def test_rtx_builds_for_a_range_of_frames(rtx, exported):
    shapes = ShapeRange(height=(64, 120, 200), width=(64, 160, 300))
    assert build_plan(rtx, exported, BuildSettings(targets=("SM86",), shapes=shapes)).export.frame is None


def test_open_frame_without_a_range_is_refused(rtx, exported):
    with pytest.raises(ConfigError, match="camera's size: export with --frame HxW"):
        build_plan(rtx, exported, BuildSettings(targets=("SM86",)))


def test_unknown_target_is_refused(rtx, fixed):
    with pytest.raises(ConfigError, match="SM61 is not known to TensorRT-RTX"):
        build_plan(rtx, fixed, BuildSettings(targets=("SM61",)))


def test_graph_that_the_parser_refuses_is_told_with_its_node(rtx, fixed, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeseg.deploy.tensorrt.build.sealed_metadata", lambda content, where: {})
    onnx = pytest.importorskip("onnx")
    model = onnx.load(fixed)
    next(node for node in model.graph.node if node.op_type == "Conv").op_type = "MaxUnpool"
    onnx.save(model, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"bad.onnx: TensorRT .* cannot parse it: node .*MaxUnpool"):
        build_plan(rtx, tmp_path / "bad.onnx", BuildSettings(targets=("SM86",)))


def test_altered_graph_is_refused(rtx, fixed, tmp_path):
    content = bytearray(fixed.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "altered.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"altered.onnx: was altered after its export"):
        build_plan(rtx, tmp_path / "altered.onnx", BuildSettings(targets=("SM86",)))


def test_truncated_graph_is_refused(rtx, fixed, tmp_path):
    (tmp_path / "cut.onnx").write_bytes(fixed.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"cut.onnx: has no seal of edgeseg export"):
        build_plan(rtx, tmp_path / "cut.onnx", BuildSettings(targets=("SM86",)))


def test_missing_graph_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none.onnx: no such file"):
        export_engine(tmp_path / "none.onnx", tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_typing_follows_what_the_version_has(listed, fixed, version):
    trt = listed(version, "fp16")
    plan = build_plan(trt, fixed, BuildSettings())
    kinds, old = trt.NetworkDefinitionCreationFlag, version.startswith("8")
    expected = {name for name in ("EXPLICIT_BATCH", "STRONGLY_TYPED") if hasattr(kinds, name)}
    assert {name for name in vars(kinds) if trt.made["flags"] >> getattr(kinds, name) & 1} == expected
    assert plan.typing == ("weak" if old else "strong")
    assert flags(trt) == ({"FP16", "PREFER_PRECISION_CONSTRAINTS"} if old else set())


@pytest.mark.parametrize(
    ("precision", "expected"), [("fp32", set()), ("int8", {"INT8"}), ("int8-fp16", {"INT8", "FP16"})]
)
def test_weak_typing_allows_what_the_graph_was_made_for(listed, fixed, precision, expected):
    trt = listed("8.6.1", precision)
    build_plan(trt, fixed, BuildSettings())
    assert flags(trt) == expected


def test_weak_typing_holds_what_the_graph_holds_at_fp32(listed, fixed):
    trt = listed("10.3.0", "fp16")
    assert build_plan(trt, fixed, BuildSettings(typing="weak")).typing == "weak"
    head, body = trt.made["layers"]
    assert vars(head)["precision"].name == "FLOAT"
    assert "precision" not in vars(body)


@pytest.mark.parametrize(("version", "typing"), [("8.6.1", "strong"), ("11.4.0.106", "weak")])
def test_typing_that_the_version_lacks_is_refused(listed, fixed, version, typing):
    with pytest.raises(ConfigError, match=f"--typing {typing}: this TensorRT has"):
        build_plan(listed(version), fixed, BuildSettings(typing=typing))


@pytest.mark.parametrize("version", VERSIONS)
def test_dla_takes_what_it_can_and_the_rest_is_named(listed, fixed, version):
    trt = listed(version, "fp16", cores=2)
    plan = build_plan(trt, fixed, BuildSettings(dla_core=1))
    assert plan.layers == {"dla": ["body"], "gpu": ["head"]}
    assert (trt.made["config"].DLA_core, trt.made["config"].default_device_type.name) == (1, "DLA")
    assert "GPU_FALLBACK" in flags(trt)


@pytest.mark.parametrize(
    ("precision", "cores", "error", "message"),
    [("fp32", 2, ConfigError, "--dla runs fp16 and int8 alone"), ("fp16", 0, ModelError, "has 0 DLA cores")],
)
def test_dla_that_cannot_be_is_refused(listed, fixed, precision, cores, error, message):
    with pytest.raises(error, match=message):
        build_plan(listed("10.3.0", precision, cores), fixed, BuildSettings(dla_core=0))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_goes_through_on_every_version(listed, exported, tmp_path, version):
    shapes = ShapeRange(height=(64, 120, 200), width=(64, 160, 300))
    trt = listed(version, graph=exported)
    build_plan(trt, exported, BuildSettings(64, tmp_path / "timing", shapes=shapes))
    assert (tmp_path / "timing").read_bytes() == b"timed"
    assert trt.made["shapes"] == ("frame", (1, 64, 64, 3), (1, 120, 160, 3), (1, 200, 300, 3))
    assert ("set_memory_pool_limit", trt.MemoryPoolType.WORKSPACE, 64 << 20) in trt.made["config"].log
    assert ("clear_flag", trt.BuilderFlag.TF32) in trt.made["config"].log


def test_targets_are_for_rtx_alone(listed, fixed):
    with pytest.raises(ConfigError, match="builds for the GPU of its own machine alone"):
        build_plan(listed("10.3.0"), fixed, BuildSettings(targets=("SM87",)))


def test_engine_file_says_what_it_was_built_by_and_for(listed, fixed, tmp_path, orin):
    report = export_engine(fixed, tmp_path / "out", target=(listed("10.3.0"), orin))
    assert report.path == tmp_path / "out" / f"{fixed.stem}.engine"
    file = EngineFile.read(report.path)
    assert (file.plan, file.record.tensorrt, file.record.gpu) == (b"plan of 10.3.0", "10.3.0", orin)
    plain = report.to_dict()
    assert (plain["latency"], plain["miou"], plain["precision"]) == ("not measured", "not measured", "fp32")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        report.path.name,
        report.report.name,
        "tensorrt.timing",
    }


def test_failed_build_names_the_cure_and_leaves_nothing(listed, fixed, tmp_path, orin):
    trt = listed("10.3.0")
    whole = trt.Builder

    class Failing:
        def __new__(cls, logger):
            builder = whole(logger)
            object.__setattr__(builder, "build_serialized_network", lambda network, config: None)
            return builder

    Failing.platform_has_fast_fp16 = None
    trt.Builder = Failing
    with pytest.raises(ModelError, match=r"could not build an engine .*--workspace, or try --typing weak"):
        export_engine(fixed, tmp_path / "out", target=(trt, orin))
    assert not (tmp_path / "out").exists()


def test_machine_without_a_gpu_is_told(fixed, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeseg.deploy.tensorrt.export.probe_driver", lambda: None)
    with pytest.raises(MissingDependencyError, match="building an engine needs an NVIDIA GPU"):
        export_engine(fixed, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workspace_mb": 0}, "--workspace must be at least 1 MiB, got 0"),
        ({"dla_core": -1}, "--dla must be the number of a core"),
        ({"typing": "mixed"}, "--typing must be one of auto, strong, weak"),
    ],
)
def test_unusable_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        BuildSettings(**options)


def test_unordered_range_is_refused():
    with pytest.raises(ConfigError, match=r"height must be smallest, likeliest, largest.*200,100,300"):
        ShapeRange(height=(200, 100, 300))
