"""ERFNet (Romera et al. 2017, "Efficient Residual Factorized ConvNet for Real-time Semantic Segmentation")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.nets.base import SegmentationNet, check_num_classes
from edgeseg.nets.beside_pool import BesidePool
from edgeseg.nets.doubling import Doubling

_EPS = 1e-3
"""Of the authors' batch norms; a state_dict does not tell."""


class ERFNet(SegmentationNet):
    """ERFNet, 2.1 million parameters.

    Args:
        num_classes: Number of classes C.
        dropout: Probability that a channel of a residual branch is dropped, at 128 channels.
        dropout_early: The same at 64 channels; the decoder has none.
    """

    stride = 8

    def __init__(self, num_classes: int, dropout: float = 0.3, dropout_early: float = 0.03) -> None:
        super().__init__()
        check_num_classes(num_classes)
        self.encoder = nn.Sequential(
            DownBlock(3, 16),
            DownBlock(16, 64),
            *(FactorizedBlock(64, 1, dropout_early) for _ in range(5)),
            DownBlock(64, 128),
            *(FactorizedBlock(128, dilation, dropout) for dilation in (2, 4, 8, 16) * 2),
        )
        self.decoder = nn.Sequential(
            UpBlock(128, 64),
            *(FactorizedBlock(64, 1, 0.0) for _ in range(2)),
            UpBlock(64, 16),
            *(FactorizedBlock(16, 1, 0.0) for _ in range(2)),
        )
        self.classifier = nn.ConvTranspose2d(16, num_classes, 2, stride=2)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class."""
        return (self.classifier(self.decoder(self.encoder(images))),)


class DownBlock(nn.Module):
    """Halves the size; convolved channels stand beside the pooled ones: (N, out_channels, H/2, W/2)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels - channels, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(out_channels, eps=_EPS)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, H/2, W/2)."""
        joined = torch.cat([self.conv(features), functional.max_pool2d(features, 2)], 1)
        return functional.relu(self.norm(joined))

    def deployed_form(self) -> nn.Module:
        """Without the joining."""
        return BesidePool(self.conv, self.norm, nn.ReLU())


class FactorizedBlock(nn.Module):
    """Residual block of two pairs of 3×1 and 1×3 convolutions, the second pair dilated."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.tall1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.wide1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.norm1 = nn.BatchNorm2d(channels, eps=_EPS)
        self.tall2 = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.wide2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation))
        self.norm2 = nn.BatchNorm2d(channels, eps=_EPS)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Keeps the shape (N, C, H, W)."""
        branch = self.wide1(functional.relu(self.tall1(features)))
        branch = functional.relu(self.norm1(branch))
        branch = self.wide2(functional.relu(self.tall2(branch)))
        branch = self.dropout(self.norm2(branch))
        return functional.relu(branch + features)


class UpBlock(nn.Module):
    """Doubles the size by a transposed convolution."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.BatchNorm2d(out_channels, eps=_EPS)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, 2H, 2W)."""
        return functional.relu(self.norm(self.conv(features)))

    def deployed_form(self) -> nn.Module:
        """With a plain convolution in the place of the transposed one."""
        return Doubling(self.conv, self.norm, nn.ReLU())
