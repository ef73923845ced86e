"""ResNet and MobileNetV2 from torchvision, with their stride held at 8 or 16 by dilation.

The names of their weights are torchvision's, so that its published ImageNet files load.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Literal

import torchvision
from torch import Tensor, nn
from torch.nn import functional

OutputStride = Literal[8, 16, 32]


class ResNet(nn.Module):
    """A ResNet without its classifier.

    Args:
        name: ``resnet18``, ``resnet34``, ``resnet50`` or ``resnet101``.
        output_stride: Size of the input over the size of the last features.
        deep_stem: Three 3×3 convolutions in place of the 7×7 one, as ResNet-v1s has them.

    Attributes:
        channels: Channels of the four stages.
    """

    def __init__(self, name: str, output_stride: OutputStride, deep_stem: bool = False) -> None:
        super().__init__()
        net = torchvision.models.get_model(name, weights=None)
        self.conv1: nn.Module = net.conv1
        self.bn1: nn.Module = net.bn1
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        if deep_stem:
            self._deepen_stem()
        self.channels = tuple(self._width(layer[-1]) for layer in self._layers())
        hold_stride(chain(*self._layers()), reached=4, output_stride=output_stride)

    def stages(self, images: Tensor, last: int) -> list[Tensor]:
        """Features of the stages 1 to ``last``; nothing beyond is computed.

        Args:
            images: (N, 3, H, W).
            last: 1 to 4.
        """
        features = functional.relu(self.bn1(self.conv1(images)))
        features = functional.max_pool2d(features, 3, stride=2, padding=1)
        found = []
        for layer in self._layers()[:last]:
            features = layer(features)
            found.append(features)
        return found

    def _layers(self) -> tuple[nn.Sequential, ...]:
        return self.layer1, self.layer2, self.layer3, self.layer4

    def _deepen_stem(self) -> None:
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, padding=1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(128)
        first = self.layer1[0]
        first.conv1 = nn.Conv2d(128, first.conv1.out_channels, 1, bias=False)
        first.downsample[0] = nn.Conv2d(128, first.downsample[0].out_channels, 1, bias=False)

    @staticmethod
    def _width(block: nn.Module) -> int:
        return [module.out_channels for module in block.modules() if isinstance(module, nn.Conv2d)][-1]


class MobileNetV2(nn.Module):
    """MobileNetV2 without its last convolution and classifier.

    Args:
        output_stride: Size of the input over the size of the last features.
        pad_first: Pad a block's input rather than that of its depthwise convolution, and the image not at all,
            as VainF/DeepLabV3Plus-Pytorch does. The two differ at the border, where the expansion's batch norm
            turns the padded zeros into something else.
    """

    channels = (24, 320)
    """Of the features at a quarter of the size, and of the last ones."""

    def __init__(self, output_stride: OutputStride, pad_first: bool = False) -> None:
        super().__init__()
        self.features = torchvision.models.mobilenet_v2(weights=None).features[:-1]
        hold_stride(self.features[1:], reached=2, output_stride=output_stride)
        if pad_first:
            self.features[0][0].padding = (0, 0)
            for index in range(1, len(self.features)):
                self.features[index] = _PaddedResidual(self.features[index])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 24, H/4, W/4) and (N, 320, h, w)."""
        low: Tensor = self.features[:4](images)
        return low, self.features[4:](low)


class _PaddedResidual(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.conv: nn.Module = block.conv  # type: ignore[assignment]
        self.shortcut = bool(block.use_res_connect)
        depthwise = next(m for m in self.conv.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))
        self.border = int(depthwise.dilation[0])
        depthwise.padding = (0, 0)

    def forward(self, features: Tensor) -> Tensor:
        branch: Tensor = self.conv(functional.pad(features, (self.border,) * 4))
        return features + branch if self.shortcut else branch


def hold_stride(blocks: Iterable[nn.Module], reached: int, output_stride: int) -> None:
    """Replaces strides beyond ``output_stride`` by dilation, in place (Chen et al. 2017, arXiv 1706.05587).

    A block whose stride falls away keeps the dilation before it, the blocks after it get twice as much.

    Args:
        blocks: Residual blocks in the order of the forward pass.
        reached: Stride in front of the first block.
        output_stride: Stride not to be exceeded.
    """
    dilation = 1
    for block in blocks:
        convs = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
        stride, before = max(int(conv.stride[0]) for conv in convs), dilation
        held = reached >= output_stride
        reached, dilation = (reached, dilation * stride) if held else (reached * stride, dilation)
        for conv in convs:
            if held:
                conv.stride = (1, 1)
            if conv.kernel_size[0] > 1:
                border = before * (int(conv.kernel_size[0]) // 2)
                conv.dilation, conv.padding = (before, before), (border, border)
