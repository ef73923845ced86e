"""ICNet (Zhao et al. 2018, "ICNet for Real-Time Semantic Segmentation on High-Resolution Images")."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.errors import ConfigError
from edgeseg.nets.backbones import ResNet
from edgeseg.nets.base import SegmentationNet, check_num_classes

_BINS = (1, 2, 3, 6)
_FUSED = 128


class ICNet(SegmentationNet):
    """Image cascade: a deep network on the quarter-size image, refined by shallow ones on larger images.

    The quarter-size image runs through the whole backbone, the half-size one through its first two stages
    with the same weights, the full-size one through three convolutions. In training, the two fusions give
    logits of their own (cascade label guidance).

    Args:
        num_classes: Number of classes C.
        backbone: ``"resnet50"``, or the light ``"resnet18"``.
        deep_stem: Three 3×3 convolutions at the backbone's start, as in liminn/ICNet-pytorch.
        align_corners: Of every interpolation; that port has it on.

    Raises:
        ConfigError: An option is out of range.
    """

    stride = 32
    aux_weights = (0.4, 0.4)
    backbone_path = "backbone"
    classifier_names = ("fusion_quarter.guide", "fusion_half.guide", "classifier")

    def __init__(
        self,
        num_classes: int,
        backbone: Literal["resnet50", "resnet18"] = "resnet50",
        deep_stem: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        check_num_classes(num_classes)
        if backbone not in ("resnet50", "resnet18"):
            raise ConfigError(f"icnet: backbone must be resnet50 or resnet18, got {backbone!r}")
        if deep_stem and backbone != "resnet50":
            raise ConfigError("icnet: deep_stem goes with resnet50 only")
        self.align_corners = align_corners
        self.backbone_name = backbone
        self.backbone = ResNet(backbone, output_stride=8, deep_stem=deep_stem)
        self.detail = nn.Sequential(_halve(3, 32), _halve(32, 32), _halve(32, 64))
        self.fusion_quarter = Fusion(self.backbone.channels[3], self.backbone.channels[1], num_classes)
        self.fusion_half = Fusion(_FUSED, 64, num_classes)
        self.classifier = nn.Conv2d(_FUSED, num_classes, 1, bias=False)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class; the auxiliary logits are at 1/8 and at 1/16 of the size, in this order."""
        size = int(images.shape[2]), int(images.shape[3])
        quarter, half, full = self.quarter_branch(images), self.half_branch(images), self.full_branch(images)
        quarter = self.resize(quarter, (size[0] // 16, size[1] // 16))
        middle, lifted16 = self.fusion_quarter(quarter, half)
        fused, lifted8 = self.fusion_half(self.resize(middle, (size[0] // 8, size[1] // 8)), full)
        # Classified before it is enlarged: both are linear, and the classes are fewer than the channels.
        logits = self.resize(self.resize(self.classifier(fused), (size[0] // 4, size[1] // 4)), size)
        if not self.training:
            return (logits,)
        return logits, self.fusion_half.guide(lifted8), self.fusion_quarter.guide(lifted16)

    def quarter_branch(self, images: Tensor) -> Tensor:
        """The whole backbone on the quarter-size image, with pyramid pooling: (N, c, H/32, W/32)."""
        features = self.backbone.stages(self._shrink(images, 4), 4)[-1]
        size = int(features.shape[2]), int(features.shape[3])
        return features + sum(self.resize(pool_bins(features, bins), size) for bins in _BINS)

    def half_branch(self, images: Tensor) -> Tensor:
        """The backbone's first two stages on the half-size image: (N, c, H/16, W/16)."""
        return self.backbone.stages(self._shrink(images, 2), 2)[-1]

    def full_branch(self, images: Tensor) -> Tensor:
        """Three convolutions on the image itself: (N, 64, H/8, W/8)."""
        detail: Tensor = self.detail(images)
        return detail

    def _shrink(self, images: Tensor, factor: int) -> Tensor:
        return self.resize(images, (int(images.shape[2]) // factor, int(images.shape[3]) // factor))


class Fusion(nn.Module):
    """Cascade feature fusion of coarse features, already upsampled, with finer ones.

    Its layer ``guide`` turns the lifted coarse features into logits, for the auxiliary loss alone.

    Args:
        coarse: Channels of the coarse features.
        fine: Channels of the finer features.
        num_classes: Number of classes of the guiding logits.
    """

    def __init__(self, coarse: int, fine: int, num_classes: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            nn.Conv2d(coarse, _FUSED, 3, padding=2, dilation=2, bias=False), nn.BatchNorm2d(_FUSED)
        )
        self.fine = nn.Sequential(nn.Conv2d(fine, _FUSED, 1, bias=False), nn.BatchNorm2d(_FUSED))
        self.guide = nn.Conv2d(_FUSED, num_classes, 1, bias=False)

    def forward(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Fuses (N, C, h, w) features of one size; gives the fused and the lifted coarse ones, both (N, 128, h, w)."""
        lifted = self.coarse(coarse)
        return functional.relu(lifted + self.fine(fine)), lifted


def pool_bins(features: Tensor, bins: int) -> Tensor:
    """Means over a grid of ``bins`` by ``bins`` regions: (N, C, bins, bins).

    The regions are those of ``torch.nn.AdaptiveAvgPool2d``, which ONNX lacks; as the grid is fixed, they are
    slices with a mean each, first of rows, then of columns. (As products with two small matrices they would be
    fp32 GEMMs, which TensorRT-RTX refuses to build for Turing.)
    """
    return _region_means(_region_means(features, 2, bins), 3, bins)


def _region_means(features: Tensor, axis: int, bins: int) -> Tensor:
    length = int(features.shape[axis])
    bounds = [(index * length // bins, -((index + 1) * length // -bins)) for index in range(bins)]
    means = [features.narrow(axis, start, stop - start).mean(axis, keepdim=True) for start, stop in bounds]
    return torch.cat(means, dim=axis)


def _halve(channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )
