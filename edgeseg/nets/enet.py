"""ENet (Paszke et al. 2016, arXiv 1606.02147), as its authors released it, and as davidtvs/PyTorch-ENet has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from edgeseg.errors import ConfigError
from edgeseg.nets.base import SegmentationNet, check_num_classes
from edgeseg.nets.beside_pool import BesidePool, widening
from edgeseg.nets.doubling import Doubling
from edgeseg.nets.pooling import max_pool, max_unpool


@dataclass(frozen=True)
class Layout:
    """Where the two public forms of ENet differ.

    Attributes:
        eps: Added to the variance in batch norms.
        inner_of_outputs: Whether a bottleneck's inside has a quarter of its outputs rather than of its inputs.
        channel_slopes: Whether a PReLU has one slope per channel rather than one in all.
        biases: Whether the initial block, the middle convolutions and the classifier have biases.
        active_expansion: Whether the residual branch ends in an activation of its own, but for upsampling blocks.
        norm_between: Whether 5×1 comes first in the asymmetric pair and is normalised before 1×5;
            otherwise 1×5 comes first and runs straight into 5×1.
        initial_pool: Kernel of the initial block's pooling; its stride is 2.
        up_kernel: Kernel of the transposed convolution in upsampling blocks.
        classifier_kernel: Kernel of the last transposed convolution.
        decoder_dropout: Whether the decoder's blocks drop channels too.
        decoder_relu: Whether the decoder's activations are ReLU rather than PReLU.
    """

    eps: float
    inner_of_outputs: bool
    channel_slopes: bool
    biases: bool
    active_expansion: bool
    norm_between: bool
    initial_pool: Literal[2, 3]
    up_kernel: Literal[2, 3]
    classifier_kernel: Literal[2, 3]
    decoder_dropout: bool
    decoder_relu: bool


LAYOUTS = {
    "authors": Layout(1e-3, True, True, True, False, False, 2, 3, 2, False, False),
    "davidtvs": Layout(1e-5, False, False, False, True, True, 3, 2, 3, True, True),
}

Middle = Literal["regular", "asymmetric"] | int
"""Middle convolution of a block: 3×3, the pair 1×5 and 5×1, or 3×3 with this dilation."""

_CONTEXT: tuple[Middle, ...] = ("regular", 2, "asymmetric", 4, "regular", 8, "asymmetric", 16)


class ENet(SegmentationNet):
    """ENet, 0.36 million parameters.

    Args:
        num_classes: Number of classes C.
        layout: ``"authors"``, or ``"davidtvs"`` to read the weights of that port.
        dropout: Probability that a channel of a residual branch is dropped, from stage 2 on.
        dropout_early: The same in stage 1.

    Raises:
        ConfigError: An option is out of range.
    """

    stride = 8

    def __init__(
        self,
        num_classes: int,
        layout: Literal["authors", "davidtvs"] = "authors",
        dropout: float = 0.1,
        dropout_early: float = 0.01,
    ) -> None:
        super().__init__()
        check_num_classes(num_classes)
        if layout not in LAYOUTS:
            raise ConfigError(f"enet: layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
        form, late = LAYOUTS[layout], dropout if LAYOUTS[layout].decoder_dropout else 0.0
        self.initial = InitialBlock(form)
        self.down1 = DownBlock(form, 16, 64, dropout_early)
        self.stage1 = nn.Sequential(*(Block(form, 64, "regular", dropout_early) for _ in range(4)))
        self.down2 = DownBlock(form, 64, 128, dropout)
        self.stage2 = nn.Sequential(*(Block(form, 128, middle, dropout) for middle in _CONTEXT))
        self.stage3 = nn.Sequential(*(Block(form, 128, middle, dropout) for middle in _CONTEXT))
        self.up4 = UpBlock(form, 128, 64, late)
        self.stage4 = nn.Sequential(*(Block(form, 64, "regular", late, form.decoder_relu) for _ in range(2)))
        self.up5 = UpBlock(form, 64, 16, late)
        self.stage5 = nn.Sequential(Block(form, 16, "regular", late, form.decoder_relu))
        self.classifier = _double(form.classifier_kernel, 16, num_classes, bias=form.biases)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """See the base class."""
        features, places1 = self.down1(self.initial(images))
        features, places2 = self.down2(self.stage1(features))
        features = self.stage3(self.stage2(features))
        features = self.stage4(self.up4(features, places2))
        features = self.stage5(self.up5(features, places1))
        return (self.classifier(features),)


class InitialBlock(nn.Module):
    """13 convolved channels beside the 3 pooled ones of the image, at half size: (N, 16, H/2, W/2)."""

    def __init__(self, form: Layout) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1, bias=form.biases)
        self.pool = nn.MaxPool2d(form.initial_pool, stride=2, padding=form.initial_pool // 3)
        self.norm = nn.BatchNorm2d(16, eps=form.eps)
        self.activation = _activation(form, 16)

    def forward(self, images: Tensor) -> Tensor:
        """Halves the image's size."""
        joined = torch.cat([self.conv(images), self.pool(images)], 1)
        activated: Tensor = self.activation(self.norm(joined))
        return activated

    def deployed_form(self) -> nn.Module:
        """Without the joining, where the pooled cells do not overlap."""
        return BesidePool(self.conv, self.norm, self.activation) if self.pool.kernel_size == 2 else self


class Block(nn.Module):
    """Residual bottleneck: 1×1 down to a quarter of the channels, the middle convolution, 1×1 up again."""

    def __init__(self, form: Layout, channels: int, middle: Middle, dropout: float, relu: bool = False) -> None:
        super().__init__()
        inner = channels // 4
        self.reduce = _conv(form, channels, inner, 1, relu=relu)
        self.middle = _middle(form, inner, middle, relu)
        self.expand = _expansion(form, inner, channels, relu)
        self.dropout = nn.Dropout2d(dropout)
        self.activation = _activation(form, channels, relu)

    def forward(self, features: Tensor) -> Tensor:
        """Keeps the shape (N, C, H, W)."""
        branch = self.dropout(self.expand(self.middle(self.reduce(features))))
        activated: Tensor = self.activation(features + branch)
        return activated


class DownBlock(nn.Module):
    """Bottleneck that halves the size; its shortcut is a max pooling, filled up with zero channels."""

    def __init__(self, form: Layout, channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        inner = (out_channels if form.inner_of_outputs else channels) // 4
        self.channels = channels, out_channels
        self.widen: nn.Module = nn.ZeroPad3d((0, 0, 0, 0, 0, out_channels - channels))
        self.reduce = _conv(form, channels, inner, 2, stride=2)
        self.middle = _middle(form, inner, "regular", relu=False)
        self.expand = _expansion(form, inner, out_channels, relu=False)
        self.dropout = nn.Dropout2d(dropout)
        self.activation = _activation(form, out_channels)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Gives features (N, out_channels, H/2, W/2) and the places of the pooling's maxima."""
        branch = self.dropout(self.expand(self.middle(self.reduce(features))))
        pooled, places = max_pool(features)
        return self.activation(self.widen(pooled) + branch), places

    def deployed_form(self) -> nn.Module:
        """Pads by a convolution, which stays in the layout of its neighbours and takes the sum in."""
        self.widen = widening(*self.channels)
        return self


class UpBlock(nn.Module):
    """Bottleneck that doubles the size; its shortcut is unpooled where a ``DownBlock`` found the maxima."""

    def __init__(self, form: Layout, channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        inner = (out_channels if form.inner_of_outputs else channels) // 4
        relu = form.decoder_relu
        self.reduce = _conv(form, channels, inner, 1, relu=relu)
        self.middle: nn.Module = nn.Sequential(
            _double(form.up_kernel, inner, inner, bias=form.biases),
            nn.BatchNorm2d(inner, eps=form.eps),
            _activation(form, inner, relu),
        )
        self.expand = nn.Sequential(
            nn.Conv2d(inner, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels, eps=form.eps)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels, eps=form.eps)
        )
        self.activation = _activation(form, out_channels, relu)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_channels, 2H, 2W)."""
        branch = self.dropout(self.expand(self.middle(self.reduce(features))))
        activated: Tensor = self.activation(max_unpool(self.shortcut(features), places) + branch)
        return activated

    def deployed_form(self) -> nn.Module:
        """With a plain convolution in the place of the transposed one, its norm and its activation."""
        assert isinstance(self.middle, nn.Sequential)
        self.middle = Doubling(*self.middle)
        return self


def _activation(form: Layout, channels: int, relu: bool = False) -> nn.Module:
    return nn.ReLU() if relu else nn.PReLU(channels if form.channel_slopes else 1)


def _conv(
    form: Layout, channels: int, out_channels: int, kernel: int, stride: int = 1, relu: bool = False
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels, eps=form.eps),
        _activation(form, out_channels, relu),
    )


def _expansion(form: Layout, channels: int, out_channels: int, relu: bool) -> nn.Module:
    layers = [nn.Conv2d(channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels, eps=form.eps)]
    if form.active_expansion:
        layers.append(_activation(form, out_channels, relu))
    return nn.Sequential(*layers)


def _middle(form: Layout, channels: int, middle: Middle, relu: bool) -> nn.Module:
    ending = [nn.BatchNorm2d(channels, eps=form.eps), _activation(form, channels, relu)]
    if middle != "asymmetric":
        dilation = 1 if middle == "regular" else middle
        conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=form.biases)
        return nn.Sequential(conv, *ending)
    tall, wide = ((5, 1), (2, 0)), ((1, 5), (0, 2))
    first, second = (tall, wide) if form.norm_between else (wide, tall)
    layers: list[nn.Module] = [nn.Conv2d(channels, channels, first[0], padding=first[1], bias=False)]
    if form.norm_between:
        layers += [nn.BatchNorm2d(channels, eps=form.eps), _activation(form, channels, relu)]
    layers.append(nn.Conv2d(channels, channels, second[0], padding=second[1], bias=form.biases))
    return nn.Sequential(*layers, *ending)


def _double(kernel: int, channels: int, out_channels: int, bias: bool) -> nn.ConvTranspose2d:
    # Both kernels give exactly twice the size: 3×3 needs a border cut off and one row added.
    border = kernel - 2
    return nn.ConvTranspose2d(
        channels, out_channels, kernel, stride=2, padding=border, output_padding=border, bias=bias
    )
