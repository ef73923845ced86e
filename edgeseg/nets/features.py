"""What the last classifying layer is given, pooled to the cells that a vehicle's strategies read."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from edgeseg.errors import ConfigError
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.cells import CellMean

FEATURE_CELL = 8
"""Side in pixels of a cell of ``features``."""


class CellFeatures:
    """Keeps the input of a network's last classifying layer at every call, and pools it to cells of 8×8 pixels.

    Args:
        net: The network; its layer gets a hook.
        size: (h, w) of the network's input.

    Attributes:
        channels: Number K of features.

    Raises:
        ConfigError: The network does not say which of its layers classifies.
    """

    def __init__(self, net: nn.Module, size: tuple[int, int]) -> None:
        if not isinstance(net, SegmentationNet) or not net.classifier_names:
            raise ConfigError(
                f"--emit features: {type(net).__name__} does not name its classifying layer, whose input the features "
                "are; give the network classifier_names, or leave features out"
            )
        self.size, self.stride = size, net.stride
        self.channels = feature_channels(net)
        self._kept: Tensor | None = None
        net.get_submodule(net.classifier_names[-1]).register_forward_pre_hook(self._keep)

    def pooled(self) -> Tensor:
        """Features of the last call (N, K, ⌈h/8⌉, ⌈w/8⌉) float32: means over the pixels of each cell."""
        kept = self._kept
        assert kept is not None
        height, width = self.size
        # Of the padded input, where the stride does not divide the size.
        step = 2 ** round(math.log2((height + -height % self.stride) / int(kept.shape[2])))
        if step > FEATURE_CELL:
            kept = F.interpolate(kept, scale_factor=float(step // FEATURE_CELL), mode="nearest")
            step = FEATURE_CELL
        rows, columns = -(-height // step), -(-width // step)
        pooled: Tensor = CellMean(rows, columns, FEATURE_CELL // step)(kept[:, :, :rows, :columns])
        return pooled

    def _keep(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._kept = inputs[0]


def feature_channels(net: nn.Module) -> int | None:
    """Number of features of a network, None where it does not name its classifying layer."""
    if not isinstance(net, SegmentationNet) or not net.classifier_names:
        return None
    layer = net.get_submodule(net.classifier_names[-1])
    return int(layer.in_channels)  # type: ignore[arg-type]  # a convolution, by the contract of classifier_names
