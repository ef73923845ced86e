"""What the vehicle's benchmarks run on: a network of no training, and the synthetic drive as a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import torch

from edgeseg import datasets, nets
from edgeseg.deploy.export import export
from edgeseg.files import atomic_path
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.preprocess import Preprocess
from edgeseg.progress import track

DRAWN = 20
"""Distinct frames of a video; it repeats them."""
LARGEST = 256
"""Rows up to which a frame is drawn; larger ones are enlarged, which takes a hundredth of the time."""


def network(folder: Path, height: int, width: int, seed: int = 0) -> Path:
    """An ENet for the synthetic drive's classes, exported at (height, width); made once.

    Its weights are drawn: neither time nor memory depends on what they are.
    """
    path = folder / f"enet-{height}x{width}-{seed}" / "net-fp32.onnx"
    if not path.exists():
        torch.manual_seed(seed)
        classes = datasets.open("synthetic:1").class_map
        net = nets.build("enet", classes.num_classes).train()
        with torch.no_grad():
            # Without statistics of its own a fresh network's activations explode.
            for _ in range(5):
                net(torch.rand(4, 3, 64, 96))
        checkpoint = path.with_name("net.edgeseg")
        save_checkpoint(checkpoint, net.eval(), ModelInfo("enet", classes, Preprocess(height, width)))
        export(checkpoint, checkpoint.parent)
    return path


def video(folder: Path, height: int, width: int, frames: int) -> Path:
    """The synthetic drive at (height, width) as motion JPEG, so that decoding is part of the work; made once."""
    path = folder / f"drive-{height}x{width}-{frames}.avi"
    if path.exists():
        return path
    less = max(1, -(-height // LARGEST))
    drive = datasets.open(f"synthetic:{DRAWN}x{height // less}x{width // less}")
    images = [cv2.cvtColor(drive.image(index), cv2.COLOR_RGB2BGR) for index in track(range(DRAWN), "drawing")]
    drawn = [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in images]
    with atomic_path(path) as partial:
        whole = partial.with_suffix(".avi")
        writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
        for number in range(frames):
            writer.write(drawn[number % DRAWN])
        writer.release()
        whole.replace(partial)
    return path
