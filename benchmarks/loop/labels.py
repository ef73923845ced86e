"""Label folders that students are trained on: the first labels, and beside them what came back or was drawn by lot."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.classes import IGNORE_INDEX
from edgeseg.datasets import Dataset
from edgeseg.datasets.labeled import IMAGES, MASKS, write_classes
from edgeseg.device.spool import SpoolReader
from edgeseg.images import read_label, write_png
from edgeseg.queue.tools.task import decode_mask


def write_frames(dataset: Dataset, indices: list[int], out: Path) -> int:
    """Writes frames with their whole labels as ``folder:OUT``; the number of labeled pixels."""
    write_classes(dataset.class_map, out)
    pixels = 0
    for index in indices:
        label, name = dataset.label(index), dataset.sample_ids[index].replace("/", "_")
        write_png(out / IMAGES / f"{name}.png", dataset.image(index))
        write_png(out / MASKS / f"{name}.png", label)
        pixels += int((label != IGNORE_INDEX).sum())
    return pixels


def add(labels: Path, out: Path) -> int:
    """Puts what came back beside the first labels; the number of its labeled pixels."""
    pixels = 0
    for mask in sorted((labels / MASKS).glob("*.png")):
        pixels += int((read_label(mask) != IGNORE_INDEX).sum())
        for kind in (IMAGES, MASKS):
            shutil.copyfile(labels / kind / mask.name, out / kind / mask.name)
    return pixels


def random_frames(drive: str, pixels: int, seed: int, out: Path) -> tuple[int, int]:
    """Adds whole frames of the drive, drawn by lot, until they have as many labeled pixels.

    Returns:
        Frames and labeled pixels.
    """
    dataset, done, frames = datasets.open(drive), 0, 0
    for index in random.Random(seed).sample(range(len(dataset)), len(dataset)):
        if done >= pixels:
            break
        done += write_frames(dataset, [index], out)
        frames += 1
    return frames, done


def random_regions(spool: Path, drive: str, pixels: int, seed: int, out: Path) -> tuple[int, int]:
    """Adds regions by lot until they have as many labeled pixels, out of the regions that chance marked on the drive.

    Args:
        spool: What ``edgeseg score --strategy random`` kept of every frame of the drive.
        drive: The drive, with its labels.
        pixels: Labeled pixels at least.
        seed: Of the lot.
        out: Folder with the first labels.

    Returns:
        Regions and labeled pixels.
    """
    dataset = datasets.open(drive)
    place = {name: index for index, name in enumerate(dataset.sample_ids)}
    found = [
        (place[item.record.frame_id], region) for item in SpoolReader(spool).list() for region in item.record.regions
    ]
    masks: dict[int, NDArray[np.uint8]] = {}
    done = taken = 0
    for index, region in random.Random(seed).sample(found, len(found)):
        if done >= pixels:
            break
        label, inside = dataset.label(index), decode_mask(region.rle)
        mask = masks.setdefault(index, np.full(label.shape, IGNORE_INDEX, np.uint8))
        mask[inside] = label[inside]
        done += int((label[inside] != IGNORE_INDEX).sum())
        taken += 1
    for index, mask in masks.items():
        write_png(out / IMAGES / f"random-{index:06d}.png", dataset.image(index))
        write_png(out / MASKS / f"random-{index:06d}.png", mask)
    return taken, done
