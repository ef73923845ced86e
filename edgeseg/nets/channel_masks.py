"""Lets a network in evaluation drop the channels that it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from edgeseg.dropout import MaskedLayer, mask_length

_LOOK = (3, 64, 64)
"""Shape of the image by which channels are counted."""


class ChannelMasks:
    """Multiplies what leaves each ``Dropout2d`` by a mask, while one is set; they are found in the order of a pass.

    Args:
        net: The network, in evaluation mode, where dropout itself does nothing; its layers get hooks.

    Attributes:
        layers: The layers with a probability above 0, empty where the network has none.
    """

    def __init__(self, net: nn.Module) -> None:
        found = {name: m for name, m in net.named_modules() if isinstance(m, nn.Dropout2d) and m.p > 0}
        self.layers = _counted(net, found)
        self._masks: Tensor | None = None
        start = 0
        for layer in self.layers:
            found[layer.name].register_forward_hook(self._hook(start, layer.channels))
            start += layer.channels

    @contextmanager
    def applied(self, masks: Tensor | None) -> Iterator[None]:
        """Applies masks (N, K) to a batch of N within the block; None for none."""
        if masks is not None and int(masks.shape[1]) != mask_length(self.layers):
            raise ValueError(f"masks of {int(masks.shape[1])} channels for {mask_length(self.layers)}")
        self._masks = None if masks is None else masks[:, :, None, None]
        try:
            yield
        finally:
            self._masks = None

    def _hook(self, start: int, channels: int) -> Any:
        def mask(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if self._masks is None:
                return output
            return output * self._masks[:, start : start + channels]

        return mask


@torch.no_grad()
def _counted(net: nn.Module, found: dict[str, nn.Dropout2d]) -> tuple[MaskedLayer, ...]:
    """The layers with their channels, by the order in which an image passes them."""
    if not found:
        return ()
    layers: list[MaskedLayer] = []

    def note(name: str) -> Any:
        return lambda module, inputs, output: layers.append(MaskedLayer(name, int(output.shape[1]), float(module.p)))

    hooks = [module.register_forward_hook(note(name)) for name, module in found.items()]
    training = net.training
    place = next(net.parameters())
    net.eval()(torch.zeros((1, *_LOOK), device=place.device, dtype=place.dtype))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return tuple(layers)
