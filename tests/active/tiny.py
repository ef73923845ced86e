"""A network that trains in milliseconds and says where its features are."""

from __future__ import annotations

from torch import Tensor, nn

from edgeseg.nets.base import SegmentationNet

NAME = "tests.active.tiny:Tiny"


class Tiny(SegmentationNet):
    stride = 2

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Conv2d(8, num_classes, 1)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        height, width = images.shape[2:]
        return (self.resize(self.classifier(self.body(images)), (height, width)),)
