"""Who labels: ground truth inside the outlines that the tool shows, in the form that Label Studio exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.queue.tools.brush import decode_brush, encode_brush
from edgeseg.queue.tools.label_studio import ASKED, BRUSH

AT = "2026-01-01T00:00:00Z"
WHO = {"id": 1, "email": "oracle@example.org"}

TruthOf = Callable[[str], NDArray[np.uint8]]


def answer(tasks: list[dict[str, Any]], truth_of: TruthOf, classes: ClassMap) -> tuple[list[dict[str, Any]], int, int]:
    """Labels every task.

    Args:
        tasks: ``tasks.json`` of ``queue export --to label-studio``.
        truth_of: Item id → its true label map (H, W) uint8 of train ids.
        classes: Meaning of the train ids.

    Returns:
        The tool's JSON export; pixels drawn; those of them that the model's prediction had wrong.
    """
    export, drawn, corrected = [], 0, 0
    for number, task in enumerate(tasks, 1):
        shapes, truth = task["predictions"][0]["result"], truth_of(task["data"]["item_id"])
        inside = outlined(shapes, truth.shape) & (truth != IGNORE_INDEX)
        drawn += int(inside.sum())
        corrected += int((inside & (predicted(shapes, truth.shape, classes) != truth)).sum())
        result = [_brush(truth, int(cls), inside, classes) for cls in np.unique(truth[inside])]
        annotation = {"id": number, "completed_by": WHO, "was_cancelled": False, "created_at": AT, "updated_at": AT}
        export.append({**task, "id": number, "annotations": [{**annotation, "result": result}]})
    return export, drawn, corrected


def outlined(shapes: list[dict[str, Any]], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) bool: inside the outlines of what is asked for, as a person sees them."""
    mask = np.zeros(size, np.uint8)
    for shape in shapes:
        if shape["from_name"] == ASKED:
            share = np.array(shape["value"]["points"], np.float64) / 100
            corners = share * (size[1], size[0]) - 0.5
            cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    return mask > 0


def predicted(shapes: list[dict[str, Any]], size: tuple[int, ...], classes: ClassMap) -> NDArray[np.uint8]:
    """(H, W) uint8 of what the tool shows as the model's prediction, ``IGNORE_INDEX`` where it shows none."""
    label = np.full(size, IGNORE_INDEX, np.uint8)
    for shape in shapes:
        if shape["from_name"] == BRUSH:
            (name,) = shape["value"]["brushlabels"]
            label[decode_brush(shape["value"]["rle"], size[0], size[1])] = classes.names.index(name)
    return label


def _brush(truth: NDArray[np.uint8], cls: int, inside: NDArray[np.bool_], classes: ClassMap) -> dict[str, Any]:
    rle = encode_brush(inside & (truth == cls))
    return {
        "id": f"drawn-{cls}",
        "type": "brushlabels",
        "origin": "manual",
        "from_name": BRUSH,
        "to_name": "image",
        "original_width": truth.shape[1],
        "original_height": truth.shape[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": rle, "brushlabels": [classes.names[cls]]},
    }
