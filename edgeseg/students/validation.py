"""Mean IoU of a network on a dataset, at full label size."""

from __future__ import annotations

import torch
from torch import nn

from edgeseg.metrics import ConfusionMatrix
from edgeseg.nets.restoring import restored
from edgeseg.preprocess import Preprocess
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.distribution import ALONE, Distribution
from edgeseg.students.hardware import Hardware
from edgeseg.students.reduction import sum_over_processes


@torch.inference_mode()
def validate(
    net: nn.Module,
    frames: DecodedFrames,
    preprocess: Preprocess,
    hardware: Hardware,
    together: Distribution = ALONE,
) -> ConfusionMatrix:
    """Predicts every frame in float32, as the exported model will, and counts.

    Args:
        net: In evaluation mode, on the hardware's device.
        frames: Labeled frames.
        preprocess: The network's input.
        hardware: Device and memory layout.
        together: The processes that share the frames.

    Returns:
        Counts over all frames at label size.
    """
    confusion = ConfusionMatrix(frames.dataset.class_map.num_classes)
    for index in range(together.rank, len(frames), together.world):
        image, label = frames[index]
        planes = torch.from_numpy(preprocess.apply(image.permute(1, 2, 0).numpy()))[None]
        images = planes.to(hardware.device, memory_format=hardware.memory_format)
        size = (label.shape[0], label.shape[1])
        prediction = restored(net(images), preprocess, size, size).argmax(1)
        confusion.update(label.numpy(), prediction[0].to(torch.uint8).cpu().numpy())
    counts = sum_over_processes(torch.from_numpy(confusion.counts).to(hardware.device))
    confusion.counts = counts.cpu().numpy()
    return confusion
