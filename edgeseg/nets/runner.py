"""Runs a checkpoint by torch: the deployed graph's outputs and always the logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.nets.channel_masks import ChannelMasks
from edgeseg.nets.checkpoint import Checkpoint, load_checkpoint
from edgeseg.nets.denormals import flushed_denormals
from edgeseg.nets.deployed import MASKS, DeployedGraph
from edgeseg.preprocess import as_batch
from edgeseg.staged import Staged


class TorchRunner(Staged):
    """The Runner protocol on a ``.edgeseg`` checkpoint; frames of any size, on the GPU where torch has one.

    Args:
        path: The checkpoint.
        threads: Threads of torch's CPU operators, in the whole process until the runner is closed; None leaves
            torch's choice.
        size: (h, w) of the network's input, None for the checkpoint's own.
        emit: Outputs beside the design's and ``logits``, such as ``"top2"``.
        device: Torch device, None for the first GPU or else the CPU.

    Raises:
        ModelError: The file is no checkpoint.
    """

    backend = "torch"

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        size: tuple[int, int] | None = None,
        emit: tuple[str, ...] = (),
        device: str | None = None,
    ) -> None:
        self._threads_before = None if threads is None else torch.get_num_threads()
        if threads is not None:
            torch.set_num_threads(threads)
        checkpoint = with_size(load_checkpoint(path), size)
        self.info = checkpoint.info
        self.digest = checkpoint.digest
        self.size = checkpoint.info.preprocess.size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        extra = tuple(name for name in emit if name not in ("logits", MASKS))
        self.graph = DeployedGraph(checkpoint.net, checkpoint.info, ("logits", *extra)).eval().to(self.device)
        self.output_names = self.graph.output_names
        self._masks = ChannelMasks(self.graph.net)
        self.mask_layers = self._masks.layers

    @torch.inference_mode()
    def prepare(self, frames: NDArray[np.uint8]) -> Tensor:
        """Preprocesses frames (N, H, W, 3) uint8 RGB into the network's input (N, 3, h, w), on the device."""
        return self._wait(self.graph.preprocess(torch.from_numpy(as_batch(frames)).to(self.device)))

    @torch.inference_mode()
    def analyse(self, prepared: Tensor, frame_size: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Runs network and summaries on the prepared input of frames of this (H, W), and brings them to the host."""
        place = self.info.preprocess.placement(*frame_size)
        with flushed_denormals():
            outputs = self.graph.summarise(self.graph.net(prepared), place)
        return {name: tensor.cpu().numpy() for name, tensor in zip(self.output_names, outputs, strict=True)}

    def infer_masked(self, frame: NDArray[np.uint8], masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Runs one frame (H, W, 3) with channel masks (K,) on ``mask_layers``; arrays without the batch axis."""
        with self._masks.applied(torch.from_numpy(masks[None]).to(self.device)):
            return self.infer(frame)

    def _wait(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return tensor

    def close(self) -> None:
        """Gives the threads back; what else it holds the garbage collector frees."""
        if self._threads_before is not None:
            torch.set_num_threads(self._threads_before)


def with_size(checkpoint: Checkpoint, size: tuple[int, int] | None) -> Checkpoint:
    """The checkpoint with another input size (h, w); weights and digest stay."""
    if size is None or size == checkpoint.info.preprocess.size:
        return checkpoint
    preprocess = replace(checkpoint.info.preprocess, height=size[0], width=size[1])
    return replace(checkpoint, info=replace(checkpoint.info, preprocess=preprocess))
