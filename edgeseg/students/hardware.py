"""Where a training runs and with what precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from edgeseg.errors import ConfigError
from edgeseg.nets.denormals import flushed_denormals
from edgeseg.students.settings import TrainSettings

_FAST_BF16 = ("amx_bf16", "bf16")
"""Processor flags as ``/proc/cpuinfo`` has them, the last one ARM's. AVX512-BF16 alone is not among them: bf16 was
slower than fp32 with it on a Xeon, in every network (ERFNet at 180×240: 7.3 against 10.6 images/s on two cores). An
EPYC of family 26 gains a third (ENet, compiled, one core: 22 against 17 images/s) if ``precision`` is set to bf16."""


@dataclass(frozen=True)
class Hardware:
    """What a training computes on and with.

    Attributes:
        device: Where the network is.
        dtype: Type of the multiplications under autocast; float32 without autocast.
        memory_format: Layout of images and weights.
    """

    device: torch.device
    dtype: torch.dtype
    memory_format: torch.memory_format

    @property
    def autocast(self) -> torch.autocast:
        """Context of forward passes."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32)

    @property
    def needs_scaling(self) -> bool:
        """Whether gradients would underflow without a scaled loss."""
        return self.dtype is torch.float16


def choose(settings: TrainSettings, local_rank: int | None = None) -> Hardware:
    """Resolves ``device``, ``precision`` and ``channels_last``.

    Args:
        settings: Of the training.
        local_rank: Number of this process on its machine where several train together: ``cuda`` is then the device
            of that number.

    Raises:
        ConfigError: The device is not there, or is named for several processes.
    """
    device = _device(settings.device, local_rank)
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = named[settings.precision] if settings.precision != "auto" else _fast_dtype(device)
    channels_last = settings.channels_last
    if channels_last is None:
        # On the CPU channels-last is the faster layout in fp32 too (ENet 13.8 against 11.3 images/s).
        channels_last = device.type == "cpu" or dtype is not torch.float32
    return Hardware(device, dtype, torch.channels_last if channels_last else torch.contiguous_format)


@contextmanager
def computing_threads(number: int | None) -> Iterator[None]:
    """Inside, torch computes with so many threads, and with denormal numbers as zero.

    Args:
        number: None leaves the number of threads as it is.
    """
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        with flushed_denormals():
            yield
    finally:
        torch.set_num_threads(before)


def _device(name: str, local_rank: int | None) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if local_rank is not None and name.startswith("cuda:"):
        raise ConfigError(f"device {name!r} is one, and several processes train; let device=cuda give each its own")
    if local_rank is not None and name == "cuda":
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices; use device=cpu"
            + ("" if local_rank is None else ", or start no more processes on it than it has devices")
        )
    return device


def _fast_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _cpu_gains_from_bf16() else torch.float32


def _cpu_gains_from_bf16() -> bool:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    except OSError:
        return False
    return any(flag in flags.split() for flag in _FAST_BF16)
