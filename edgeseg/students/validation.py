"""Mean IoU of a network on a dataset, at full label size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.metrics import ConfusionMatrix
from edgeseg.preprocess import Placement, Preprocess, overlap
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
        prediction = logits_at_frame(net(images), preprocess, label.shape[0], label.shape[1]).argmax(1)
        confusion.update(label.numpy(), prediction[0].to(torch.uint8).cpu().numpy())
    counts = sum_over_processes(torch.from_numpy(confusion.counts).to(hardware.device))
    confusion.counts = counts.cpu().numpy()
    return confusion


def logits_at_frame(logits: Tensor, preprocess: Preprocess, height: int, width: int) -> Tensor:
    """Takes logits of the network's input back to a frame's pixels.

    A letterbox's border is cut off; what a crop cut off takes the logits of the nearest pixel inside.

    Args:
        logits: (N, C, preprocess.height, preprocess.width).
        preprocess: How the frame became the input.
        height: The frame's height.
        width: The frame's width.

    Returns:
        (N, C, height, width), interpolated bilinearly, corners not aligned.
    """
    place = preprocess.placement(height, width)
    scaled = _uncover(logits, place)
    return functional.interpolate(scaled.contiguous(), size=(height, width), mode="bilinear", align_corners=False)


def _uncover(logits: Tensor, place: Placement) -> Tensor:
    rows, into_rows = overlap(place.top, place.height, logits.shape[2])
    columns, into_columns = overlap(place.left, place.width, logits.shape[3])
    margins = into_columns.start, place.width - into_columns.stop, into_rows.start, place.height - into_rows.stop
    inside = logits[:, :, rows, columns]
    return functional.pad(inside, margins, mode="replicate") if any(margins) else inside
