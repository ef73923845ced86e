from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgeseg.deploy.export import export
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import require_outputs
from edgeseg.errors import ConfigError, DataError, MissingDependencyError, ModelError, UsageError
from edgeseg.files import digest_file


def test_suffix_chooses_the_runtime(exported, checkpoint):
    with open_runner(exported) as graph, open_runner(checkpoint) as reference:
        assert (graph.backend, reference.backend) == ("onnxruntime", "torch")
        assert graph.digest == digest_file(exported)
        assert reference.digest == digest_file(checkpoint)
        assert graph.size == reference.size == (64, 96)
        assert "logits" in reference.output_names


def test_outputs_carry_no_batch_axis(checkpoint, frame):
    with open_runner(checkpoint) as runner:
        found = {name: array.shape for name, array in runner.infer(frame).items()}
    assert found == {
        "class_map": (64, 96),
        "entropy": (64, 96),
        "cell_probs": (5, 8, 12),
        "cell_entropy": (2, 3),
        "frame_entropy": (),
        "logits": (5, 64, 96),
    }


def test_checkpoint_runs_at_another_size(checkpoint, frame):
    with open_runner(checkpoint, size=(40, 72)) as runner:
        assert runner.infer(frame)["class_map"].shape == (40, 72)
        assert runner.info.preprocess.size == (40, 72)


def test_exported_graph_has_one_size(exported):
    with pytest.raises(ConfigError, match="exported for --size 64x96, not 40x72"):
        open_runner(exported, size=(40, 72))


@pytest.mark.parametrize(
    "frame",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32)],
    ids=["grey", "alpha", "float"],
)
def test_frames_of_another_form_are_refused(exported, checkpoint, frame):
    for path in (exported, checkpoint):
        with open_runner(path) as runner, pytest.raises(DataError, match=r"must be .* uint8 RGB"):
            runner.infer(frame)


def test_read_only_frames_run(checkpoint, exported, frame):
    frame.flags.writeable = False
    for path in (exported, checkpoint):
        with open_runner(path) as runner:
            runner.infer(frame)


def test_missing_file_is_named(tmp_path):
    for name in ("no.onnx", "no.edgeseg"):
        with pytest.raises(ModelError, match=f"{name}: no such file"):
            open_runner(tmp_path / name)


def test_truncated_graph_is_named(exported, tmp_path):
    (tmp_path / "cut.onnx").write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"cut.onnx: onnxruntime cannot load it .*export it again"):
        open_runner(tmp_path / "cut.onnx")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "m.onnx",
            {"backend": "ncnn"},
            ConfigError,
            "--backend ncnn: choose from onnxruntime, openvino, tensorrt, torch",
        ),
        ("m.onnx", {"backend": "torch"}, UsageError, "use --backend onnxruntime or openvino"),
        ("m.edgeseg", {"backend": "onnxruntime"}, UsageError, "use --backend torch"),
        ("m.pt", {}, ConfigError, "suffix is one of .onnx, .xml, .engine, .edgeseg, got '.pt'"),
        ("m.onnx", {"threads": 0}, ConfigError, "--threads must be at least 1, got 0"),
    ],
)
def test_unusable_choice_is_refused(tmp_path, name, options, error, message):
    with pytest.raises(error, match=message):
        open_runner(tmp_path / name, **options)


@pytest.mark.parametrize(
    ("package", "suffix", "extra"),
    [("onnxruntime", ".onnx", "cpu"), ("openvino", ".onnx", "openvino"), ("torch", ".edgeseg", "train")],
)
def test_missing_runtime_gives_the_command(tmp_path, monkeypatch, package, suffix, extra):
    (tmp_path / f"m{suffix}").write_bytes(b"x")

    def blocked(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("edgeseg.errors.import_module", blocked)
    with pytest.raises(MissingDependencyError, match=rf"{package} is not installed.*edgeseg\[{extra}\]"):
        open_runner(tmp_path / f"m{suffix}", package)


def test_missing_output_names_the_export_option(exported):
    message = r"margin needs the model's top2_probs, .*export it with --emit top2"
    with open_runner(exported) as runner, pytest.raises(ModelError, match=message):
        require_outputs(runner, ("class_map", "top2_probs"), "margin")


def test_exported_graph_runs_where_torch_and_onnx_are_not_installed(exported):
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'safetensors', 'matplotlib'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "import edgeseg.deploy.benchmark, edgeseg.deploy.evaluation, edgeseg.deploy.prediction, edgeseg.deploy.lint\n"
        "from edgeseg.deploy.runners import open_runner\n"
        f"print(open_runner(Path({str(exported)!r})).infer(np.zeros((70, 90, 3), np.uint8))['class_map'].shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(64, 96)", done.stderr


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_share_of_preprocessing_grows_with_the_camera(exported, checkpoint, tmp_path, backend):
    pytest.importorskip(backend)
    with open_runner(exported, backend, threads=1) as runner:
        frames = [np.zeros((1, height, width, 3), np.uint8) for height, width in ((64, 96), (1280, 1920))]
        small, large = (runner.preprocess_share(frame, 3) for frame in frames)
    assert 0 < small < large < 1
    with open_runner(export(checkpoint, tmp_path, outputs="logits").path, backend, threads=1) as plain:
        assert plain.preprocess_share(np.zeros((1, 64, 96, 3), np.uint8), 1) is None
