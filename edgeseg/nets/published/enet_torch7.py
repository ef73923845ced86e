"""ENet as its authors published it: a whole Torch7 network, on Cityscapes with 20 outputs, the first one unlabeled."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeseg.errors import ModelError
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.enet import LAYOUTS
from edgeseg.nets.published.format import Meaning, Options, PublishedFormat
from edgeseg.nets.published.torch7 import Torch7Object, read_torch7
from edgeseg.nets.registry import build
from edgeseg.nets.weights import load_exactly

_KINDS: dict[str, type[nn.Module]] = {
    "SpatialConvolution": nn.Conv2d,
    "SpatialConvolutionMM": nn.Conv2d,
    "SpatialDilatedConvolution": nn.Conv2d,
    "SpatialFullConvolution": nn.ConvTranspose2d,
    "SpatialBatchNormalization": nn.BatchNorm2d,
    "PReLU": nn.PReLU,
}
"""Torch7 layers with weights and what they are in torch."""


def read(path: Path) -> tuple[SegmentationNet, Options]:
    """Reads a file of this format; see ``PublishedFormat.read``."""
    root = read_torch7(path)
    layers = list(_layers(root)) if isinstance(root, Torch7Object) else []
    if not layers or _plain_kind(layers[-1]) != "SpatialFullConvolution":
        found = root.kind if isinstance(root, Torch7Object) else type(root).__name__
        raise ModelError(f"{path}: holds {found}, not an ENet that ends in SpatialFullConvolution; check --format")
    options: Options = {"layout": "authors"}
    net = build("enet", _array(layers[-1], "weight", path).shape[1], **options)
    load_exactly(net, _named_tensors(net, layers, path), str(path), "check --format, and that the file is whole")
    return net, options


def _layers(node: Torch7Object) -> Iterator[Torch7Object]:
    """Layers that matter, in the order of the file, which is that of our own layers."""
    if node.children:
        for child in node.children:
            if isinstance(child, Torch7Object):
                yield from _layers(child)
    elif _plain_kind(node) in _KINDS or _plain_kind(node) == "SpatialDropout":
        yield node


def _named_tensors(net: nn.Module, layers: list[Torch7Object], path: Path) -> dict[str, Tensor]:
    own = [(name, module) for name, module in net.named_modules() if isinstance(module, tuple(_KINDS.values()))]
    weighted = [layer for layer in layers if _plain_kind(layer) in _KINDS]
    kept = _kept_shares(layers)
    tensors: dict[str, NDArray[Any]] = {}
    for place, (mine, theirs) in enumerate(zip_longest(own, weighted)):
        if mine is None or theirs is None or not isinstance(mine[1], _KINDS[_plain_kind(theirs)]):
            expected = type(mine[1]).__name__ if mine else "the end"
            found = theirs.kind if theirs else "nothing"
            raise ModelError(f"{path}: is not the authors' ENet: layer {place + 1} is {found}, {expected} was expected")
        for leaf, array in _arrays(theirs, kept.get(id(theirs), 1.0), path).items():
            tensors[f"{mine[0]}.{leaf}"] = array
    shapes = {key: tensor.shape for key, tensor in net.state_dict().items()}
    return {key: _as_tensor(array, shapes.get(key)) for key, array in tensors.items()}


def _kept_shares(layers: list[Torch7Object]) -> dict[int, float]:
    """1 − p for each batch norm that a dropout follows: Torch7 multiplies by it at evaluation."""
    pairs = pairwise(layers)
    return {id(norm): 1.0 - float(drop.fields["p"]) for norm, drop in pairs if _plain_kind(drop) == "SpatialDropout"}


def _arrays(layer: Torch7Object, kept: float, path: Path) -> dict[str, NDArray[Any]]:
    found = {"weight": _array(layer, "weight", path)}
    if isinstance(layer.fields.get("bias"), np.ndarray):
        found["bias"] = _array(layer, "bias", path)
    if _plain_kind(layer) == "SpatialBatchNormalization":
        found = {leaf: array * np.float32(kept) for leaf, array in found.items()}
        found["running_mean"] = _array(layer, "running_mean", path)
        # Our epsilon is fixed; a file with another one gives the same sum of variance and epsilon.
        extra = float(layer.fields.get("eps", LAYOUTS["authors"].eps)) - LAYOUTS["authors"].eps
        found["running_var"] = _array(layer, "running_var", path) + np.float32(extra)
    return found


def _array(layer: Torch7Object, leaf: str, path: Path) -> NDArray[np.float32]:
    array = layer.fields.get(leaf)
    if not isinstance(array, np.ndarray):
        raise ModelError(f"{path}: a {layer.kind} has no {leaf}; fetch the file again")
    return array.astype(np.float32)


def _as_tensor(array: NDArray[Any], shape: torch.Size | None) -> Tensor:
    tensor = torch.from_numpy(array)
    # Some Torch7 layers keep a convolution's weight as a matrix.
    folded = shape is not None and tensor.ndim == 2 and tensor.numel() == shape.numel()
    return tensor.reshape(shape) if folded and shape is not None else tensor


def _plain_kind(layer: Torch7Object) -> str:
    return layer.kind.rpartition(".")[2]


FORMAT = PublishedFormat(network="enet", read=read, meanings={20: Meaning("cityscapes", (0,), (512, 1024))})
