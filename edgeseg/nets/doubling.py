"""Transposed convolutions that double the size, as plain ones whose outputs are the pixels of each new 2×2 block."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STEP = 2
"""Side of a block."""
Taps = dict[int, tuple[tuple[int, int], ...]]
_TAPS: dict[int, Taps] = {2: {0: ((0, 0),), 1: ((0, 1),)}, 3: {0: ((0, 1),), 1: ((0, 2), (1, 0))}}
"""Kernel → row within the block → (neighbour below, row of the kernel) that reach it."""


class Doubling(nn.Module):
    """What a transposed convolution, a batch norm and an activation per channel do, in the order that runtimes like.

    Where a plain convolution writes its outputs side by side, a transposed one adds into a larger tensor, and runtimes
    fuse neither norm nor activation into it.

    Args:
        conv: Kernel 2 without padding, or kernel 3 with padding 1 and output padding 1; stride 2.
        norm: Batch norm of its outputs, None for none.
        activation: PReLU with one slope or one per channel, ReLU, or None.

    Attributes:
        blocks: Of the last call: (N, 4C, H, W), the outputs of one class next to each other, a block row by row.
    """

    blocks: Tensor

    def __init__(
        self, conv: nn.ConvTranspose2d, norm: nn.BatchNorm2d | None = None, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        taps = _TAPS[int(conv.kernel_size[0])]
        scale, shift = scale_and_shift(norm, conv.out_channels)
        weight = _plain_weight(conv.weight.detach() * scale[:, None, None], taps)
        bias = shift if conv.bias is None else shift + conv.bias.detach() * scale
        self.reach = int(weight.shape[2]) - 1
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias.repeat_interleave(STEP**2))
        self.activation = _for_blocks(activation)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, 2H, 2W)."""
        if self.reach:
            features = functional.pad(features, (0, self.reach, 0, self.reach))
        self.blocks = self.activation(functional.conv2d(features, self.weight, self.bias))
        return functional.pixel_shuffle(self.blocks, STEP)


def can_double(conv: nn.Module) -> bool:
    """Whether a layer is a transposed convolution that ``Doubling`` can stand for."""
    if not isinstance(conv, nn.ConvTranspose2d) or conv.groups != 1 or tuple(conv.stride) != (STEP, STEP):
        return False
    kernel, border = tuple(conv.kernel_size), int(conv.kernel_size[0]) - 2
    square = kernel in ((2, 2), (3, 3)) and tuple(conv.dilation) == (1, 1)
    return square and tuple(conv.padding) == tuple(conv.output_padding) == (border, border)


def scale_and_shift(norm: nn.BatchNorm2d | None, channels: int) -> tuple[Tensor, Tensor]:
    """The factor and the addend (C,) that a batch norm is in evaluation; 1 and 0 for None."""
    if norm is None or norm.running_mean is None or norm.running_var is None:
        return torch.ones(channels), torch.zeros(channels)
    scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias.detach() - norm.running_mean * scale


def _plain_weight(weight: Tensor, taps: Taps) -> Tensor:
    """(in, out, k, k) of the transposed convolution to (4 · out, in, k - 1, k - 1) of the plain one."""
    inputs, outputs, side = int(weight.shape[0]), int(weight.shape[1]), int(weight.shape[2]) - 1
    plain = torch.zeros(outputs, STEP, STEP, inputs, side, side)
    for row, reached in taps.items():
        for column, reached_too in taps.items():
            for below, i in reached:
                for right, j in reached_too:
                    plain[:, row, column, :, below, right] = weight[:, :, i, j].t()
    return plain.reshape(outputs * STEP**2, inputs, side, side)


def _for_blocks(activation: nn.Module | None) -> nn.Module:
    if not isinstance(activation, nn.PReLU) or activation.num_parameters == 1:
        return activation or nn.Identity()
    slopes = nn.PReLU(activation.num_parameters * STEP**2)
    slopes.weight.data = activation.weight.detach().repeat_interleave(STEP**2)
    return slopes
