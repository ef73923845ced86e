"""Runs a built engine by TensorRT on an NVIDIA GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.metadata import Tensor, read_metadata
from edgeseg.deploy.runners.base import missing_model
from edgeseg.deploy.runners.exported import ExportedRunner
from edgeseg.deploy.tensorrt import api
from edgeseg.deploy.tensorrt.devices import Device, open_device
from edgeseg.deploy.tensorrt.driver import Driver, probe_driver, require_gpu
from edgeseg.deploy.tensorrt.engine_file import EngineFile
from edgeseg.deploy.tensorrt.network import DTYPES
from edgeseg.deploy.tensorrt.slot import Slot, StageTimes
from edgeseg.errors import ConfigError, ModelError, require
from edgeseg.files import digest_file
from edgeseg.modelinfo import METADATA_KEY


class TensorRTRunner(ExportedRunner):
    """The Runner protocol on a ``.engine`` of ``edgeseg export --tensorrt``.

    The driver is asked first, the file next, TensorRT last: deserializing without a GPU, or another
    version's engine, can end the process instead of raising.

    Args:
        path: The engine file.
        threads: Must be None: the work is the GPU's.
        size: None, or the (h, w) that the caller expects.
        trt: The module ``tensorrt``, None for the one installed.
        driver: What ``probe_driver`` gives, None to ask it.
        device: The GPU, None for the binding that ``open_device`` chooses.
        in_flight: Frames that ``stream`` keeps on the GPU at once.
        graph: Whether a frame's work is replayed as a CUDA graph.

    Raises:
        ModelError: The file is no engine of this package, was altered, or was built for another TensorRT or
            GPU; or TensorRT cannot load it.
        ConfigError: The engine has another size than the one expected, or threads were given.
        MissingDependencyError: There is no GPU with a driver, no TensorRT, or no CUDA binding.
    """

    backend = "tensorrt"

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        size: tuple[int, int] | None = None,
        *,
        trt: api.Module = None,
        driver: Driver | None = None,
        device: Device | None = None,
        in_flight: int = 2,
        graph: bool = True,
    ) -> None:
        if not path.is_file():
            raise missing_model(path)
        file = EngineFile.read(path)
        self._path, self.info, self.export, self.record = path, file.info, file.export, file.record
        if threads is not None:
            raise ConfigError(f"{path}: runs on the GPU; leave --threads out")
        self.size = self.fixed_size(size, "built")
        gpu = require_gpu(f"{path}: an engine", driver or probe_driver())
        module: api.Module = trt or require("tensorrt", "tensorrt")
        file.record.require_fit(str(path), str(module.__version__), gpu)
        self._device = device or open_device()
        self._runtime, self._engine = _deserialize(module, file.plan, file.record.dla_core, path)
        inputs, outputs = _engine_tensors(module, self._engine)
        carried = {METADATA_KEY: file.carried_json()}
        read_metadata(carried, inputs, outputs, str(path))
        self.output_names = tuple(tensor.name for tensor in outputs)
        self._input_name = inputs[0].name
        self.digest = digest_file(path)
        self._slots = [Slot(self._engine, self._device, graph) for _ in range(in_flight)]

    @property
    def times(self) -> StageTimes:
        """Where the time of the last frame of ``infer`` went."""
        return self._slots[0].times

    def analyse(self, prepared: NDArray[Any], frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Copies to the GPU, runs, copies back; closed loop, one call at a time."""
        self._submit(self._slots[0], prepared)
        return self._slots[0].collect()

    def stage_times(self, prepared: NDArray[Any]) -> StageTimes:
        """Runs a frame piece by piece, without its CUDA graph, so that the GPU's marks tell its parts apart."""
        self._submit(self._slots[0], prepared, replay=False)
        self._slots[0].collect()
        return self._slots[0].times

    def stream(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[dict[str, NDArray[Any]]]:
        """Runs batches (N, H, W, 3) in turn, with the next one queued while one is at work.

        Gives results in the order of the batches, ``in_flight - 1`` behind what it takes: more frames a
        second than ``infer_batch``, at more delay for each.
        """
        waiting: deque[Slot] = deque()
        free = deque(self._slots)
        try:
            for frames in batches:
                if not free:
                    free.append(waiting.popleft())
                    yield free[-1].collect()
                slot = free.popleft()
                self._submit(slot, self.prepare(frames))
                waiting.append(slot)
            while waiting:
                yield waiting.popleft().collect()
        finally:
            for slot in waiting:
                slot.collect()

    def _submit(self, slot: Slot, prepared: NDArray[Any], replay: bool = True) -> None:
        slot.bind(self._input_name, self.output_names, prepared.shape)
        slot.submit(prepared, replay)

    def close(self) -> None:
        """Frees the GPU's memory."""
        for slot in self._slots:
            slot.close()
        self._slots = []
        self._engine = self._runtime = None


def _deserialize(trt: api.Module, plan: bytes, dla_core: int | None, path: Path) -> tuple[api.Runtime, api.ICudaEngine]:
    runtime: api.Runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
    if dla_core is not None:
        runtime.DLA_core = dla_core
    engine: api.ICudaEngine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ModelError(
            f"{path}: TensorRT {trt.__version__} cannot load it (its log above says why); build it again here"
        )
    return runtime, engine


def _engine_tensors(trt: api.Module, engine: api.ICudaEngine) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    tensors = [(engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT, _tensor(engine, name)) for name in names]
    return tuple(t for is_input, t in tensors if is_input), tuple(t for is_input, t in tensors if not is_input)


def _tensor(engine: api.ICudaEngine, name: str) -> Tensor:
    shape = tuple("?" if length < 0 else int(length) for length in engine.get_tensor_shape(name))
    return Tensor(name, DTYPES[engine.get_tensor_dtype(name).name][0], shape)
