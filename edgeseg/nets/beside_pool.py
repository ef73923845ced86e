"""Convolved channels beside pooled ones, normalised: as a sum of two convolutions, which needs no joining."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.nets.doubling import scale_and_shift


class BesidePool(nn.Module):
    """What ``cat([conv(x), max_pool2d(x, 2)])`` and a batch norm are, both as one sum of full width.

    Joining 13 channels and 3 makes a runtime leave the layout of its convolutions and come back to it; a convolution
    that sets the pooled channels at their place does not.

    Args:
        conv: 3×3 with stride 2 and padding 1.
        norm: Batch norm of the joined channels.
        activation: Of the sum.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, activation: nn.Module) -> None:
        super().__init__()
        pooled, joined = conv.in_channels, norm.num_features
        scale, shift = scale_and_shift(norm, joined)
        own = joined - pooled
        self.conv = nn.Conv2d(pooled, joined, 3, stride=2, padding=1)
        self.place = nn.Conv2d(pooled, joined, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()[:own] = conv.weight * scale[:own, None, None, None]
            self.conv.bias.copy_(shift)  # type: ignore[union-attr]  # it has one by default
            if conv.bias is not None:
                self.conv.bias[:own] += conv.bias * scale[:own]  # type: ignore[index]
            self.place.weight.zero_()[own:, :, 0, 0] = torch.diag(scale[own:])
        self.activation = activation

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, joined, H/2, W/2)."""
        activated: Tensor = self.activation(self.conv(features) + self.place(functional.max_pool2d(features, 2)))
        return activated


def widening(channels: int, out_channels: int) -> nn.Conv2d:
    """A 1×1 convolution that keeps its inputs and adds zero channels behind them."""
    conv = nn.Conv2d(channels, out_channels, 1, bias=False)
    conv.weight.data = torch.eye(out_channels, channels)[:, :, None, None]
    return conv
