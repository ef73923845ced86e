"""The networks as anybody would export them: torch's exporter on the published layers, no form of ours."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeseg.nets import enet
from edgeseg.nets.checkpoint import load_checkpoint


def export_plain(checkpoint: Path, out: Path, size: tuple[int, int]) -> Path:
    """Writes a network unless it is there, float input to logits; unpooling, which torch cannot, by a detour."""
    if out.exists():
        return out
    net = load_checkpoint(checkpoint).net.eval()
    example = (torch.rand(1, 3, *size),)
    with (
        mock.patch.object(enet, "max_pool", _pool),
        mock.patch.object(enet, "max_unpool", _unpool),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(net, example, str(out), input_names=["input"], opset_version=17, dynamo=False)
    return out


def quantise_plain(model: Path, out: Path, size: tuple[int, int]) -> Path:
    """The same in int8, by onnxruntime's own tool with its defaults for Q/DQ, on drawn images."""
    if out.exists():
        return out
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped package
        def __init__(self) -> None:
            self.left = 2

        def get_next(self) -> dict[str, Any] | None:
            self.left -= 1
            if self.left < 0:
                return None
            return {"input": np.random.default_rng(self.left).random((1, 3, *size), np.float32)}

    quantization.quantize_static(str(model), str(out), Images(), per_channel=True)
    return out


def _pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Space to depth and ArgMax: exact, and what TensorRT parses."""
    channels, height, width = (int(size) for size in features.shape[1:])
    cells = functional.pixel_unshuffle(features, 2).reshape(-1, channels, 4, height // 2, width // 2)
    return cells.amax(2), cells.argmax(2, keepdim=True)


def _unpool(features: Tensor, places: Tensor) -> Tensor:
    channels, height, width = (int(size) for size in features.shape[1:])
    cells = torch.where(places == torch.arange(4).view(1, 1, 4, 1, 1), features.unsqueeze(2), torch.zeros(()))
    return functional.pixel_shuffle(cells.reshape(-1, channels * 4, height, width), 2)
