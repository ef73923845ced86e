"""DeepLabv3+ (Chen et al. 2018, arXiv 1802.02611) on MobileNetV2, EfficientNet-Lite or ResNet."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from edgeseg.errors import ConfigError
from edgeseg.nets import efficientnet_lite
from edgeseg.nets.backbones import MobileNetV2, OutputStride, ResNet
from edgeseg.nets.base import SegmentationNet, check_batch, check_num_classes
from edgeseg.nets.efficientnet_lite import EfficientNetLite

_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}
_BACKBONES = ("mobilenetv2", *efficientnet_lite.SCALES, "resnet50", "resnet101")


class DeepLabV3Plus(SegmentationNet):
    """Atrous spatial pyramid pooling over deep features, decoded with those at a quarter of the size.

    Args:
        num_classes: Number of classes C.
        backbone: ``"mobilenetv2"``, ``"efficientnet_lite0"`` to ``"efficientnet_lite2"``, ``"resnet50"`` or
            ``"resnet101"``.
        output_stride: 16, or 8 for finer features at about three times the work.
        pad_first: How MobileNetV2 pads; see ``backbones.MobileNetV2``.
        dropout: Probability that a value is dropped after the pyramid.
        separable: Whether the decoder's convolution is split into a depthwise and a pointwise one (section 3.2 of the
            paper): a ninth of its work, which at a quarter of the size is more than a small backbone's.

    Raises:
        ConfigError: An option is out of range.
    """

    backbone_path = "backbone"

    def __init__(
        self,
        num_classes: int,
        backbone: str = "mobilenetv2",
        output_stride: Literal[8, 16] = 16,
        pad_first: bool = False,
        dropout: float = 0.1,
        separable: bool = False,
    ) -> None:
        super().__init__()
        check_num_classes(num_classes)
        if backbone not in _BACKBONES:
            raise ConfigError(f"deeplabv3plus: backbone must be one of {', '.join(_BACKBONES)}, got {backbone!r}")
        if output_stride not in _RATES:
            raise ConfigError(f"deeplabv3plus: output_stride must be 16 or 8, got {output_stride}")
        self.stride = output_stride
        self.backbone_name = "mobilenet_v2" if backbone == "mobilenetv2" else backbone
        self.backbone = _backbone(backbone, output_stride, pad_first)
        self.aspp = ASPP(self.backbone.channels[-1], _RATES[output_stride])
        self.aspp.project[3] = nn.Dropout(dropout)
        self.reduce = _conv(self.backbone.channels[0], 48, 1)
        self.fuse = _conv(48 + 256, 256, 3, separable)
        self.classifier = nn.Conv2d(256, num_classes, 1)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class.

        Raises:
            ConfigError: The network is in training mode and the batch has one image.
        """
        check_batch(self, images)
        low, deep = self._features(images)
        fine = self.reduce(low)
        coarse = self.resize(self.aspp(deep), (int(fine.shape[2]), int(fine.shape[3])))
        logits = self.classifier(self.fuse(torch.cat([fine, coarse], 1)))
        return (self.resize(logits, (int(images.shape[2]), int(images.shape[3]))),)

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.backbone, ResNet):
            stages = self.backbone.stages(images, 4)
            return stages[0], stages[3]
        found: tuple[Tensor, Tensor] = self.backbone(images)
        return found


def _backbone(name: str, output_stride: OutputStride, pad_first: bool) -> MobileNetV2 | EfficientNetLite | ResNet:
    if name == "mobilenetv2":
        return MobileNetV2(output_stride, pad_first)
    if name in efficientnet_lite.SCALES:
        return EfficientNetLite(name, output_stride)
    return ResNet(name, output_stride)


def _conv(channels: int, out_channels: int, kernel: int, separable: bool = False) -> nn.Module:
    convs = [nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, bias=False)]
    if separable:
        spatial = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        convs = [spatial, nn.Conv2d(channels, out_channels, 1, bias=False)]
    return nn.Sequential(*convs, nn.BatchNorm2d(out_channels), nn.ReLU())
