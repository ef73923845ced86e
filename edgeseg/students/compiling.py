"""The forward pass of a training, compiled or as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgeseg.errors import ConfigError

Forward = Callable[[Tensor], Tensor | tuple[Tensor, ...]]
"""Images (N, 3, H, W) → logits, as ``SegmentationNet.forward`` gives them in training mode."""


def forward_of(net: nn.Module, compiled: bool, wrap: Callable[[nn.Module], nn.Module] = lambda net: net) -> Forward:
    """What the training step calls.

    Only the call is compiled: the network itself keeps the names of its weights, and is validated and saved as it is.

    Args:
        net: The network.
        compiled: Whether it runs through ``torch.compile``, which happens in the first call.
        wrap: What else is put around it, outside of what is compiled.
    """
    if not compiled:
        return wrap(net)
    # Every batch of a training has one shape; a compiler that expects others gives slower code. Dropout draws
    # from torch's own generator, so that it drops what it would drop uncompiled.
    call: Any = torch.compile(net, dynamic=False, options={"fallback_random": True})
    return _Compiled(wrap(call))


class _Compiled:
    def __init__(self, call: Forward) -> None:
        self._call = call

    def __call__(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        from torch._dynamo.exc import TorchDynamoException

        try:
            outputs: Tensor | tuple[Tensor, ...] = self._call(images)
        except TorchDynamoException as error:
            reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ConfigError(
                f"the network cannot be compiled here ({reason}); set compile=off, or install a C++ compiler "
                "(g++) and Python's headers if these are what is missing"
            ) from error
        return outputs
