from __future__ import annotations

import ctypes

import pytest

from edgeseg.deploy.tensorrt.driver import Gpu, probe_driver, require_gpu
from edgeseg.errors import MissingDependencyError


class Library:
    """libcuda of a machine with one GTX 1080 Ti."""

    def __init__(self, status=0, count=1):
        self.status, self.count = status, count

    def cuInit(self, flags):
        return self.status

    def cuDriverGetVersion(self, out):
        out._obj.value = 12020

    def cuDeviceGetCount(self, out):
        out._obj.value = self.count
        return 0

    def cuDeviceGet(self, out, index):
        out._obj.value = index

    def cuDeviceGetName(self, name, length, handle):
        name.value = b"NVIDIA GeForce GTX 1080 Ti"

    def cuDeviceTotalMem_v2(self, out, handle):
        out._obj.value = 11 << 30

    def cuDeviceGetAttribute(self, out, number, handle):
        out._obj.value = {16: 28, 75: 6, 76: 1, 18: 0}[number]


def missing(name):
    raise OSError(name)


def test_gpu_is_described():
    driver = probe_driver(lambda name: Library())
    assert driver is not None
    assert driver.cuda == "12.2"
    assert driver.gpus == (Gpu("NVIDIA GeForce GTX 1080 Ti", "6.1", 28, 11_264, False),)
    assert require_gpu("it", driver).multiprocessors == 28


@pytest.mark.parametrize("load", [missing, lambda name: Library(status=100), lambda name: Library(count=0)])
def test_machine_without_a_gpu_has_no_driver(load):
    driver = probe_driver(load)
    assert driver is None
    with pytest.raises(MissingDependencyError, match=r"scoring needs an NVIDIA GPU, .*no CUDA driver"):
        require_gpu("scoring", driver)


def test_this_machine_can_be_asked():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        assert probe_driver() is None
