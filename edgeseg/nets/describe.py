"""``edgeseg nets``: what there is, how large, how much work, counted rather than computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.icnet import ICNet
from edgeseg.nets.published import FORMATS, get_format
from edgeseg.nets.registry import build, names

_BACKBONES: dict[str, tuple[str, ...]] = {
    "deeplabv3": ("resnet50", "resnet101", "mobilenet_v3_large"),
    "deeplabv3plus": (
        "mobilenetv2",
        "efficientnet_lite0",
        "efficientnet_lite1",
        "efficientnet_lite2",
        "resnet50",
        "resnet101",
    ),
    "icnet": ("resnet50", "resnet18"),
}


@dataclass(frozen=True)
class NetworkSummary:
    """One line of the table.

    Attributes:
        name: Registry name.
        options: Options beside ``num_classes``.
        parameters: Number of weights.
        size: (height, width) of the input that the work is counted for.
        gflops: Multiply-adds of one image at that size, in units of 10⁹.
        branch_gflops: ICNet's parts of ``gflops``: the backbone on the quarter-size image, its first stages
            on the half-size one, the convolutions on the image itself, and the fusions. Beside them, not in
            the sum, ``half_deep_skipped``: the deep stages on the half-size image, which do not run.
        formats: Published formats that hold this network.
    """

    name: str
    options: dict[str, Any]
    parameters: int
    size: tuple[int, int]
    gflops: float
    branch_gflops: dict[str, float] = field(default_factory=dict)
    formats: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def describe_all(size: tuple[int, int] = (512, 1024), num_classes: int = 19) -> tuple[NetworkSummary, ...]:
    """Describes every network of the package with each of its backbones."""
    variants: list[tuple[str, dict[str, Any]]] = []
    for name in names():
        variants += [(name, {"backbone": backbone}) for backbone in _BACKBONES.get(name, ())] or [(name, {})]
    return tuple(describe(name, size, num_classes, **options) for name, options in variants)


def describe(name: str, size: tuple[int, int] = (512, 1024), num_classes: int = 19, **options: Any) -> NetworkSummary:
    """Counts a network's weights and work; no number is computed and no memory taken for them.

    Args:
        name: Registry name, or ``package.module:factory``.
        size: (height, width) of the input.
        num_classes: Number of classes C.
        **options: The network's options.

    Raises:
        ConfigError: The name or an option does not fit.
    """
    with torch.device("meta"):
        net = build(name, num_classes, **options).eval()
        images = torch.empty(1, 3, *size)
        total = _multiply_adds(net, images)
        branches = _branches(net, images, total) if isinstance(net, ICNet) else {}
    return NetworkSummary(
        name=name,
        options=options,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        size=size,
        gflops=total / 1e9,
        branch_gflops={branch: count / 1e9 for branch, count in branches.items()},
        formats=tuple(found for found in FORMATS if get_format(found).network == name),
    )


def _branches(net: ICNet, images: Tensor, total: int) -> dict[str, int]:
    bottom, right = (-int(length) % net.stride for length in images.shape[2:])
    padded = torch.nn.functional.pad(images, (0, right, 0, bottom))
    parts = {
        "quarter": _multiply_adds(net.quarter_branch, padded),
        "half": _multiply_adds(net.half_branch, padded),
        "full": _multiply_adds(net.full_branch, padded),
    }
    half = net.resize(padded, (int(padded.shape[2]) // 2, int(padded.shape[3]) // 2))
    whole = _multiply_adds(lambda pixels: net.backbone.stages(pixels, 4)[-1], half)
    return {**parts, "fusion": total - sum(parts.values()), "half_deep_skipped": whole - parts["half"]}


def _multiply_adds(part: SegmentationNet | Callable[[Tensor], Any], images: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        part(images)
    return int(counter.get_total_flops()) // 2  # the counter takes a multiply-add as two operations
