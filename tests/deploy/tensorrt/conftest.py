"""TensorRT as it is not: modules that have a version's attributes and no other, and one that runs engines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeseg.deploy.metadata import Tensor
from edgeseg.deploy.runners.onnxruntime import OnnxRuntimeRunner
from edgeseg.deploy.runners.tensorrt import TensorRTRunner
from edgeseg.deploy.tensorrt import EngineFile, EngineRecord
from edgeseg.deploy.tensorrt.devices.fake import FakeDevice
from edgeseg.deploy.tensorrt.driver import Driver, Gpu
from edgeseg.files import digest_file

ORIN = Gpu("Orin (nvgpu)", "8.7", 16, 62_000, True)
GTX = Gpu("NVIDIA GeForce GTX 1080 Ti", "6.1", 28, 11_264, False)
DRIVER = Driver("12.6", (ORIN,))

ENUMS = ("BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "DataType", "DeviceType")
CLASSES = ("Builder", "IBuilderConfig", "INetworkDefinition", "OnnxParser", "ILayer", "ITensor")
# No list has the members of these; every version has these two layer types.
UNLISTED = {"LayerType": ["CONSTANT", "SHAPE", "CONVOLUTION"]}


class Strict:
    """An object of a listed class: what the list lacks can be neither read nor set."""

    def __init__(self, kind: str, names: list[str], **values: Any) -> None:
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_names", {*names, "name"} if kind in ("ILayer", "ITensor") else set(names))
        object.__setattr__(self, "log", [])
        for name, value in values.items():
            if name in self._names:
                object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"{self._kind} of this version has no {name}")

        def call(*arguments: Any, **options: Any) -> Any:
            self.log.append((name, *arguments))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            raise AttributeError(f"{self._kind} of this version has no {name}")
        object.__setattr__(self, name, value)


class Enum:
    """Members by name; each is an integer that knows its name."""

    def __init__(self, names: list[str]) -> None:
        self.__dict__.update({name: Member(position, name) for position, name in enumerate(names)})


class Member(int):
    name: str

    def __new__(cls, value: int, name: str) -> Member:
        member = super().__new__(cls, value)
        member.name = name
        return member


def listed_module(path: Path, tensors: tuple[list[Tensor], list[Tensor]], dla_cores: int = 0) -> Any:
    """A module of one version, from the list of its attributes, with a network of two layers.

    ``module.made`` holds the objects that were made, for the tests to look at.
    """
    lists = json.loads(path.read_text())
    made: dict[str, Any] = {}
    trt = SimpleNamespace(__version__=lists["v"], made=made)
    for name in lists["top"]:
        setattr(trt, name, SimpleNamespace())
    for name in ENUMS:
        setattr(trt, name, Enum(lists[name]))
    for name, members in UNLISTED.items():
        setattr(trt, name, Enum(members))
    for name in CLASSES:
        setattr(trt, name, type(name, (), dict.fromkeys(lists[name])))
    types = {"tensor(float)": "FLOAT", "tensor(uint8)": "UINT8"}

    def tensor(t: Tensor) -> Strict:
        shape = tuple(-1 if isinstance(n, str) else n for n in t.shape)
        dtype = getattr(trt.DataType, types[t.type])
        return Strict("ITensor", lists["ITensor"], name=t.name, dtype=dtype, shape=shape, is_shape_tensor=False)

    def layer(name: str, kind: str, dtype: str) -> Strict:
        out = Strict("ITensor", lists["ITensor"], dtype=getattr(trt.DataType, dtype), is_shape_tensor=False, shape=(1,))
        values = {"type": getattr(trt.LayerType, kind), "num_outputs": 1, "get_output": lambda index: out}
        return Strict("ILayer", lists["ILayer"], name=name, **values)

    inputs, outputs = ([tensor(t) for t in side] for side in tensors)
    layers = [layer("head", "CONVOLUTION", "FLOAT"), layer("body", "CONVOLUTION", "HALF")]

    def builder(logger: object) -> Strict:
        made["network"] = Strict(
            "INetworkDefinition",
            lists["INetworkDefinition"],
            num_inputs=len(inputs),
            num_outputs=len(outputs),
            num_layers=len(layers),
            get_input=inputs.__getitem__,
            get_output=outputs.__getitem__,
            get_layer=layers.__getitem__,
        )
        cache = SimpleNamespace(serialize=lambda: b"timed")
        made["config"] = Strict(
            "IBuilderConfig",
            lists["IBuilderConfig"],
            can_run_on_DLA=lambda one: one.name == "body",
            create_timing_cache=lambda content: cache,
            set_timing_cache=lambda cache, ignore_mismatch: True,
            get_timing_cache=lambda: cache,
            get_flag=None,
        )
        made["profile"] = SimpleNamespace(set_shape=lambda *shapes: made.update(shapes=shapes))
        made["layers"] = layers

        def create_network(flags: int) -> Strict:
            made["flags"] = flags
            return made["network"]

        made["builder"] = Strict(
            "Builder",
            lists["Builder"],
            num_DLA_cores=dla_cores,
            platform_has_fast_fp16=True,
            create_network=create_network,
            create_builder_config=lambda: made["config"],
            create_optimization_profile=lambda: made["profile"],
            build_serialized_network=lambda network, config: b"plan of " + lists["v"].encode(),
        )
        return made["builder"]

    trt.Builder = type("Builder", (), {**dict.fromkeys(lists["Builder"]), "__new__": lambda cls, log: builder(log)})
    trt.Logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, level: None})
    trt.OnnxParser = lambda network, logger: Strict(
        "OnnxParser", lists["OnnxParser"], parse_from_file=lambda path: True, num_errors=0
    )
    return trt


class RunningModule:
    """A TensorRT that runs an exported graph by onnxruntime, on a ``FakeDevice``, when its stream comes to it."""

    def __init__(self, graph: Path, device: FakeDevice, version: str = "10.3.0") -> None:
        self.__version__ = version
        self._graph, self._device = graph, device
        self.deserialized = 0
        self.contexts: list[FakeContext] = []
        self.Logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, level: None})
        self.TensorIOMode = SimpleNamespace(INPUT="in", OUTPUT="out")

    def Runtime(self, logger: object) -> Any:
        return SimpleNamespace(deserialize_cuda_engine=self._deserialize)

    def _deserialize(self, plan: bytes) -> Any:
        self.deserialized += 1
        return None if plan == b"bad" else FakeEngine(self)


TYPES = {"tensor(float)": ("FLOAT", "float32"), "tensor(uint8)": ("UINT8", "uint8")}


class FakeEngine:
    def __init__(self, module: RunningModule) -> None:
        self.module = module
        self.runner = OnnxRuntimeRunner(module._graph)
        session = self.runner._session
        self.tensors = {t.name: t for t in (*session.get_inputs(), *session.get_outputs())}
        self.names = list(self.tensors)
        self.num_io_tensors = len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name == self.names[0] else "out"

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=TYPES[self.tensors[name].type][0])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(n if isinstance(n, int) else -1 for n in self.tensors[name].shape)

    def create_execution_context(self) -> FakeContext:
        self.module.contexts.append(FakeContext(self))
        return self.module.contexts[-1]


class FakeContext:
    """Runs when the stream comes to it; refuses addresses that are not allocated or too small."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.device = engine, engine.module._device
        self.addresses: dict[str, int] = {}
        self.input_shape: tuple[int, ...] | None = None
        self.refuse = False

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.input_shape = tuple(shape)
        return max(shape) <= 2000

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert name in self.engine.tensors, name
        self.addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert self.input_shape is not None, "shape asked for before the input's was set"
        if name == self.engine.names[0]:
            return self.input_shape
        own = self.engine.get_tensor_shape(name)
        return (self.input_shape[0], *own[1:])

    def execute_async_v3(self, stream: int) -> bool:
        if self.refuse:
            return False
        source, *outputs = self.engine.names
        assert set(self.addresses) == set(self.engine.names), "a tensor has no address"
        addresses, shapes = dict(self.addresses), {n: self.get_tensor_shape(n) for n in self.engine.names}
        for name in self.engine.names:
            self._bytes(name, addresses, shapes)

        def run() -> None:
            array = self._bytes(source, addresses, shapes).view(TYPES[self.engine.tensors[source].type][1])
            results = self.engine.runner._session.run(outputs, {source: array.reshape(shapes[source])})
            for name, result in zip(outputs, results, strict=True):
                self._bytes(name, addresses, shapes)[:] = np.ascontiguousarray(result).reshape(-1).view(np.uint8)

        self.device.enqueue(stream, run)
        return True

    def _bytes(self, name: str, addresses: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> np.ndarray:
        size = int(np.prod(shapes[name])) * np.dtype(TYPES[self.engine.tensors[name].type][1]).itemsize
        return self.device.bytes_at(addresses[name], size)


@dataclass
class Bench:
    """An engine file, and a machine that runs it."""

    path: Path
    graph: Path
    device: FakeDevice
    trt: RunningModule

    def open(self, **options: Any) -> TensorRTRunner:
        given = {"trt": self.trt, "driver": DRIVER, "device": self.device, **options}
        return TensorRTRunner(self.path, **given)


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    """Makes the engine file of an exported graph, as if it had been built for TensorRT 10.3 on an Orin."""

    def make(graph: Path, **changes: Any) -> Bench:
        with OnnxRuntimeRunner(graph) as runner:
            info, export = runner.info, runner.export
        known = {"onnx_digest": digest_file(graph), "tensorrt": "10.3.0", "gpu": ORIN, "precision": "fp32"}
        built = {
            "typing": "strong",
            "tf32": False,
            "dla_core": None,
            "layers": {"gpu": 3},
            "on_gpu": (),
            "build_s": 1.0,
        }
        plan = changes.pop("plan", b"plan")
        EngineFile(plan, info, export, EngineRecord(**{**known, **built, **changes})).write(tmp_path / "m.engine")
        device = FakeDevice()
        return Bench(tmp_path / "m.engine", graph, device, RunningModule(graph, device))

    return make


@pytest.fixture
def tensorrt_lists() -> Path:
    """Folder of the attribute lists, one file a version."""
    value = os.environ.get("EDGESEG_TEST_DATA")
    if not value:
        pytest.skip("EDGESEG_TEST_DATA is unset: what each TensorRT version has was not checked")
    folder = Path(value) / "reference" / "tensorrt_api"
    if not folder.is_dir():
        pytest.fail(f"{folder} is missing")
    return folder


@pytest.fixture
def make_listed() -> Callable[..., Any]:
    return listed_module


@pytest.fixture
def gtx() -> Driver:
    return Driver("12.2", (GTX,))


@pytest.fixture
def orin() -> Gpu:
    return ORIN
