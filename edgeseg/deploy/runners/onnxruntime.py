"""Runs an exported graph by onnxruntime on the CPU."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import EXPORT_KEY, Tensor, read_metadata
from edgeseg.deploy.rounding import with_roundings
from edgeseg.deploy.runners.base import missing_model
from edgeseg.deploy.runners.exported import ExportedRunner
from edgeseg.deploy.seal import require_sealed, sealed_metadata
from edgeseg.errors import ModelError, require
from edgeseg.modelinfo import METADATA_KEY, ModelInfo


class OnnxRuntimeRunner(ExportedRunner):
    """The Runner protocol on an exported ``.onnx``.

    A graph exported with ``--outputs logits`` takes the network's input, so its frames are
    preprocessed here and ``logits`` is all it gives.

    Args:
        path: The exported graph.
        threads: Threads within one operator, None for the runtime's choice.
        size: None, or the (h, w) that the caller expects.
        profile_prefix: Where the runtime writes a profile of every node when closed, None for none.
        as_written: Whether a lower precision rounds wherever the graph says so and nowhere else: the runtime
            may neither fuse operators nor leave out fp16's roundings, as it does otherwise. Slower, and an
            fp16 graph needs onnx.

    Raises:
        ModelError: The file is damaged, its metadata is missing or does not describe its graph, or it was
            altered after its export.
        ConfigError: The graph has another size than the one expected.
        MissingDependencyError: onnxruntime is not installed.
    """

    backend = "onnxruntime"

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        size: tuple[int, int] | None = None,
        profile_prefix: Path | None = None,
        as_written: bool = False,
    ) -> None:
        if not path.is_file():
            raise missing_model(path)
        self._path, self._threads = path, threads
        content = path.read_bytes()
        source = _as_written(content, path) if as_written else content
        self._session: Any = _open_session(path, source, threads, profile_prefix, as_written)
        inputs, outputs = _tensors(self._session.get_inputs()), _tensors(self._session.get_outputs())
        self.info, self.export = read_metadata(
            self._session.get_modelmeta().custom_metadata_map, inputs, outputs, str(path)
        )
        require_sealed(content, str(path))
        self.size = self.fixed_size(size)
        self.digest = hashlib.sha256(content).hexdigest()
        self.output_names = tuple(tensor.name for tensor in outputs)
        self.as_written = as_written
        self._input_names = tuple(tensor.name for tensor in inputs)

    def analyse(self, prepared: NDArray[Any], frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Runs the graph; the frame's size is in its input."""
        arrays = self._session.run(None, dict(zip(self._input_names, self.fed(prepared), strict=True)))
        return dict(zip(self.output_names, arrays, strict=True))

    def close(self) -> None:
        """Frees the session."""
        self._session = None

    def preprocess_share(self, frames: NDArray[np.uint8], calls: int) -> float | None:
        """Share of a deployed graph's time that its own preprocessing takes, by the runtime's profile of its nodes.

        Args:
            frames: (N, H, W, 3) uint8 RGB.
            calls: Calls that are profiled, in a second session.

        Returns:
            0 to 1; None where no node is named as preprocessing.
        """
        with (
            tempfile.TemporaryDirectory(prefix="edgeseg-profile-") as folder,
            OnnxRuntimeRunner(self._path, self._threads, profile_prefix=Path(folder) / "nodes") as twin,
        ):
            for _ in range(calls):
                twin.infer_batch(frames)
            events = json.loads(twin.end_profile().read_text(encoding="utf-8"))
        nodes = [(e["name"], e["dur"]) for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
        own = sum(duration for name, duration in nodes if name.startswith("/preprocess/"))
        return own / sum(duration for _, duration in nodes) if own else None

    def end_profile(self) -> Path:
        """Ends profiling and gives the file that the runtime wrote."""
        return Path(self._session.end_profiling())


def _open_session(
    path: Path, content: bytes, threads: int | None, profile_prefix: Path | None, as_written: bool
) -> Any:
    ort = require("onnxruntime", "cpu")
    options = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_DISABLE_ALL if as_written else levels.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Networks that were trained for long hold denormal weights, on which processors are many times slower.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    if profile_prefix is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile_prefix)
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but this one
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path}: onnxruntime cannot load it ({reason}); export it again") from None


def _as_written(content: bytes, path: Path) -> bytes:
    """The graph with fp16's roundings spelled out; the same bytes where it has none."""
    info = ModelInfo.from_json(sealed_metadata(content, str(path)).get(METADATA_KEY), str(path))
    if "fp16" not in str(info.extra.get(EXPORT_KEY, {}).get("precision")):
        return content
    model = require("onnx", "train").load_model_from_string(content)
    return bytes(with_roundings(model).SerializeToString())


def _tensors(arguments: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(a.name, a.type, tuple("?" if n is None else n for n in a.shape)) for a in arguments)
