"""What is known of a published network beside its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from edgeseg.errors import ModelError
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.registry import build
from edgeseg.nets.weights import load_exactly

Options = dict[str, Any]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Meaning:
    """What a published network's outputs mean, as its number of outputs tells.

    Attributes:
        class_map: ``"cityscapes"`` or ``"camvid"``.
        dropped: Outputs that mean no class of it, such as "unlabeled"; the others are in train-id order.
        size: (height, width) of the input in the authors' evaluation.
    """

    class_map: Literal["cityscapes", "camvid"]
    dropped: tuple[int, ...]
    size: tuple[int, int]


@dataclass(frozen=True)
class PublishedFormat:
    """One published format.

    Attributes:
        network: Registry name of the network.
        read: Reads a file: the network with all of the file's outputs, and the options that build it.
        meanings: Number of outputs → what they are known to mean.
        mean, std: Normalisation of the authors, RGB, in units of 0 to 1.
    """

    network: str
    read: Callable[[Path], tuple[SegmentationNet, Options]]
    meanings: Mapping[int, Meaning]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


def class_count(tensors: Mapping[str, Tensor], key: str, axis: int, path: Path, format_name: str) -> int:
    """Number of outputs, from the shape of the classifier's weight.

    Raises:
        ModelError: The classifier is not there, so this is another network's file.
    """
    if key not in tensors or tensors[key].ndim != 4:
        listed = ", ".join(list(tensors)[:4])
        raise ModelError(
            f"{path}: lacks {key}, so it is not {format_name}; it holds {listed} and so on. Check --format"
        )
    return int(tensors[key].shape[axis])


def rename(tensors: Mapping[str, Tensor], *rules: tuple[str, str]) -> dict[str, Tensor]:
    """Replaces parts of names, each rule wherever its first text occurs, in order."""
    renamed = {}
    for key, tensor in tensors.items():
        for old, new in rules:
            key = key.replace(old, new)
        renamed[key] = tensor
    return renamed


def assemble(
    network: str, num_classes: int, options: Options, tensors: Mapping[str, Tensor], path: Path
) -> tuple[SegmentationNet, Options]:
    """Builds the network and loads the renamed tensors into it.

    Raises:
        ModelError: Something is missing, unexpected or of another shape.
    """
    net = build(network, num_classes, **options)
    load_exactly(net, tensors, str(path), "check --format, and that the file is whole")
    return net, options
