from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from edgeseg.errors import ConfigError
from edgeseg.students import TrainSettings, hardware

Make = Callable[..., TrainSettings]


@pytest.mark.parametrize(("gains", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_on_a_processor_is_bf16_only_where_it_gains(
    train_settings: Make, monkeypatch: pytest.MonkeyPatch, gains: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(hardware, "_cpu_gains_from_bf16", lambda: gains)
    chosen = hardware.choose(train_settings(precision="auto", device="cpu"))
    assert chosen.dtype is dtype
    assert chosen.memory_format is torch.channels_last


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_precision_on_a_gpu_is_bf16_where_native_else_fp16(
    train_settings: Make, monkeypatch: pytest.MonkeyPatch, native: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    chosen = hardware.choose(train_settings(precision="auto"))
    assert chosen.device.type == "cuda"
    assert chosen.dtype is dtype
    assert chosen.needs_scaling is (dtype is torch.float16)


def test_given_precision_and_layout_stand(train_settings: Make) -> None:
    chosen = hardware.choose(train_settings(precision="fp32", channels_last=True, device="cpu"))
    assert (chosen.dtype, chosen.memory_format) == (torch.float32, torch.channels_last)


@pytest.mark.parametrize(
    ("device", "message"),
    [("cuda:99", r"device 'cuda:99': this machine has \d+ CUDA devices"), ("gpu", "device must be auto, cpu, cuda")],
)
def test_absent_or_unknown_device_is_named(train_settings: Make, device: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hardware.choose(train_settings(device=device))


def test_threads_hold_inside_alone() -> None:
    before = torch.get_num_threads()
    with hardware.computing_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with hardware.computing_threads(None):
        assert torch.get_num_threads() == before


def test_each_of_several_processes_takes_its_own_gpu(train_settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(hardware.choose(train_settings(device="auto", precision="fp32"), 1).device) == "cuda:1"
    assert str(hardware.choose(train_settings(device="cpu"), 1).device) == "cpu"
    with pytest.raises(ConfigError, match=r"'cuda:2': this machine has 2 CUDA devices.*no more processes"):
        hardware.choose(train_settings(device="cuda"), 2)
    with pytest.raises(ConfigError, match=r"device 'cuda:0' is one, and several processes train"):
        hardware.choose(train_settings(device="cuda:0"), 1)
