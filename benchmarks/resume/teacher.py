"""Light teachers that leave a trace of every frame they see, even when their process is killed."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn

TRACE = "EDGESEG_TEACHER_TRACE"
"""Environment variable: file that gets a line a run."""


class Traced(nn.Module):
    """One convolution.

    Args:
        num_classes: Outputs.
        seed: Of its weights, and its name in the trace.
    """

    def __init__(self, num_classes: int, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.layer = nn.Conv2d(3, num_classes, 3, stride=2, padding=1, bias=False)
        # Logits as large as a trained network's.
        nn.init.normal_(self.layer.weight, std=3.0, generator=torch.Generator().manual_seed(seed))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, C, H/2, W/2) of images (N, 3, H, W); writes seed and checksum of the images into the trace."""
        with Path(os.environ[TRACE]).open("ab", buffering=0) as stream:
            stream.write(f"{self.seed} {zlib.crc32(image.numpy().tobytes()):08x}\n".encode())
        logits: Tensor = self.layer(image)
        return logits


def first(num_classes: int) -> nn.Module:
    """A teacher."""
    return Traced(num_classes, seed=0)


def second(num_classes: int) -> nn.Module:
    """Another one."""
    return Traced(num_classes, seed=1)
