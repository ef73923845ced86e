"""The bindings: the real libraries, which refuse where there is no GPU, and the fake, which refuses misuse."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edgeseg.deploy.tensorrt import devices
from edgeseg.deploy.tensorrt.devices import cuda_python
from edgeseg.deploy.tensorrt.devices.base import Device
from edgeseg.deploy.tensorrt.devices.cuda_python import CudaPythonDevice
from edgeseg.deploy.tensorrt.devices.cudart_ctypes import CudartDevice, load_cudart
from edgeseg.deploy.tensorrt.devices.fake import FakeDevice
from edgeseg.deploy.tensorrt.devices.pycuda import PycudaDevice
from edgeseg.deploy.tensorrt.driver import probe_driver
from edgeseg.errors import ConfigError, MissingDependencyError, ModelError

METHODS = {name for name in vars(Device) if not name.startswith("_")}


@pytest.mark.parametrize("kind", [CudaPythonDevice, CudartDevice, PycudaDevice, FakeDevice])
def test_every_binding_has_the_whole_protocol(kind):
    assert {name for name in METHODS if not callable(getattr(kind, name, None))} == set()


def installed_cudart():
    nvidia = pytest.importorskip("nvidia.cu13")
    return ctypes.CDLL(f"{next(iter(nvidia.__path__))}/lib/libcudart.so.13")


@pytest.mark.skipif(probe_driver() is not None, reason="this machine has a GPU")
def test_cuda_refuses_by_name_where_there_is_no_driver():
    pytest.importorskip("cuda.bindings.runtime")
    for device in (CudaPythonDevice(), CudartDevice(installed_cudart())):
        for call, arguments in (
            (device.malloc, (64,)),
            (device.host_array, ((4,), "uint8")),
            (device.create_stream, ()),
        ):
            with pytest.raises(ModelError, match=r"CUDA refused cuda\w+: cuda(ErrorInsufficientDriver|ErrorNoDevice)"):
                call(*arguments)


def test_every_function_that_cuda_python_is_asked_for_is_there():
    runtime = pytest.importorskip("cuda.bindings.runtime")
    asked = []

    class Recorder:
        def __getattr__(self, name):
            assert hasattr(runtime, name), name
            if name.startswith("cudaMemcpyKind") or name.endswith(("Mode", "NonBlocking")):
                return getattr(runtime, name)
            asked.append(name)
            return lambda *arguments: (0, 64)

    use(CudaPythonDevice(Recorder()), SimpleNamespace(nbytes=4, ctypes=SimpleNamespace(data=64)))
    assert {"cudaMemcpyAsync", "cudaGraphInstantiateWithFlags", "cudaGraphLaunch", "cudaEventElapsedTime"} <= set(asked)


def test_every_function_that_libcudart_is_asked_for_is_there():
    library = installed_cudart()

    class Recorder:
        cudaGetErrorName = SimpleNamespace()

        def __getattr__(self, name):
            assert getattr(library, name)
            return lambda *arguments: 0

    use(CudartDevice(Recorder()), SimpleNamespace(nbytes=4, ctypes=SimpleNamespace(data=64)))


def use(device, array):
    """Calls everything but the pinned arrays."""
    device.malloc(4)
    device.free(64)
    stream, event = device.create_stream(), device.create_event()
    device.copy_to_device(64, array, stream)
    device.copy_to_host(array, 64, stream)
    device.record(event, stream)
    device.elapsed_ms(event, event)
    device.begin_capture(stream)
    graph = device.end_capture(stream)
    device.launch(graph, stream)
    device.synchronize(stream)
    device.destroy_graph(graph)
    device.destroy_event(event)
    device.destroy_stream(stream)


def test_older_layout_of_cuda_python_is_found(monkeypatch):
    older = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", older)
    assert cuda_python.load_runtime() is older


def test_binding_is_chosen_by_name_or_by_what_is_there(monkeypatch):
    assert devices.choose_binding({devices.VARIABLE: "pycuda"}) == "pycuda"
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert devices.choose_binding({}) == "cudart"
    with pytest.raises(ConfigError, match=f"{devices.VARIABLE}=cupy: choose from cuda-python, cudart, pycuda"):
        devices.choose_binding({devices.VARIABLE: "cupy"})


def test_missing_binding_gives_the_command():
    if devices.find_spec("pycuda") is not None:
        pytest.skip("pycuda is installed")
    with pytest.raises(
        MissingDependencyError, match=r"pycuda.* is not installed; .*edgeseg\[pycuda\].*cudart to do without"
    ):
        devices.open_device("pycuda")


def test_missing_library_gives_the_cure():
    def nothing(name):
        raise OSError(name)

    with pytest.raises(MissingDependencyError, match=r"libcudart.so.* is not found; .*LD_LIBRARY_PATH"):
        load_cudart(nothing)


@pytest.fixture
def gpu():
    return FakeDevice()


def test_fake_does_its_work_when_the_stream_is_waited_for(gpu):
    source, target = gpu.host_array((4,), "uint8"), gpu.host_array((4,), "uint8")
    source[:] = [1, 2, 3, 4]
    address, stream = gpu.malloc(4), gpu.create_stream()
    gpu.copy_to_device(address, source, stream)
    gpu.copy_to_host(target, address, stream)
    with pytest.raises(ValueError, match="read-only"):
        source[0] = 9
    assert (target == 0xCD).all()
    gpu.synchronize(stream)
    assert np.array_equal(target, [1, 2, 3, 4])
    source[0] = 9


def test_fake_refuses_misuse(gpu):
    array, stream = gpu.host_array((4,), "uint8"), gpu.create_stream()
    address = gpu.malloc(4)
    misuses = {
        "not pinned": lambda: gpu.copy_to_device(address, np.zeros(4, np.uint8), stream),
        "not allocated": lambda: gpu.copy_to_device(address + 1, array, stream),
        "which has 4": lambda: gpu.copy_to_host(gpu.host_array((5,), "uint8"), address, stream),
        "is no stream": lambda: gpu.copy_to_device(address, array, 7),
        "is no graph": lambda: gpu.launch(7, stream),
        "malloc of nothing": lambda: gpu.malloc(0),
    }
    for message, misuse in misuses.items():
        with pytest.raises(AssertionError, match=message):
            misuse()
    gpu.copy_to_device(address, array, stream)
    with pytest.raises(AssertionError, match="while work is queued"):
        gpu.free(address)
    gpu.synchronize(stream)
    gpu.begin_capture(stream)
    with pytest.raises(AssertionError, match="while a stream is captured"):
        gpu.malloc(4)
    with pytest.raises(AssertionError, match="while the stream is captured"):
        gpu.synchronize(stream)
    assert gpu.left_over() == ["memory", "pinned memory", "streams"]
