"""Label Studio: tasks with brush predictions to import, and its JSON export back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.errors import DataError
from edgeseg.files import write_atomic
from edgeseg.queue.tools.brush import decode_brush, encode_brush
from edgeseg.queue.tools.task import Annotation, Task, predicted_masks

BRUSH, POLYGON, ASKED = "brush", "polygon", "asked"
"""Names of the controls: what is drawn by brush, what by polygon, and the outlines of what is asked for."""
ASKED_LABEL = "label this"
MODEL_VERSION_DIGITS = 12


def labeling_config(classes: ClassMap) -> str:
    """The project's labeling interface, XML."""
    labels = "".join(
        f"<Label value={quoteattr(row.name)} background={quoteattr('#{:02x}{:02x}{:02x}'.format(*row.color))}/>"
        for row in classes.classes
    )
    return (
        '<View><Image name="image" value="$image" zoom="true" zoomControl="true"/>'
        f'<BrushLabels name="{BRUSH}" toName="image">{labels}</BrushLabels>'
        f'<PolygonLabels name="{POLYGON}" toName="image">{labels}</PolygonLabels>'
        f'<PolygonLabels name="{ASKED}" toName="image"><Label value="{ASKED_LABEL}" background="#ff00ff"/>'
        "</PolygonLabels></View>"
    )


def plain_task(task: Task, classes: ClassMap, image_url: str) -> dict[str, Any]:
    """One task as Label Studio imports it; the same task has the same ids, whenever it is made.

    Args:
        task: What is asked.
        classes: Meaning of the train ids.
        image_url: Where the tool finds the image.
    """
    drawn = predicted_masks(task)
    result = [_outline(task, index, number, ring) for index in task.asked for number, ring in _rings(task, index)]
    result += [_brush(task, name, classes.names[cls], score, mask) for name, cls, score, mask in drawn]
    record = task.record
    prediction = {
        "model_version": record.model_digest[:MODEL_VERSION_DIGITS],
        "score": record.scores[0].value,
        "result": result,
    }
    data = {
        "image": image_url,
        "item_id": task.id,
        "vehicle": record.vehicle,
        "drive": record.drive,
        "regions": list(task.asked),
    }
    return {"data": data, "predictions": [prediction]}


def write_tasks(tasks: Iterable[Task], classes: ClassMap, out: Path, image_url: str | None) -> list[str]:
    """Writes ``tasks.json``, ``labeling.xml`` and, for buckets that are folders, ``images/``.

    Args:
        tasks: What is asked, one frame after the other.
        classes: Meaning of the train ids.
        out: Folder for the files.
        image_url: Beginning of the images' addresses, before ``ITEM_ID.png``; None: their place in the bucket, or in
            Label Studio's local files.

    Returns:
        Ids of the items.
    """
    plain = []
    for task in tasks:
        url = _image_url(task, image_url)
        if not url.startswith(("s3:", "gs:", "az:")):
            write_atomic(out / "images" / f"{task.id}.png", task.image)
        plain.append(plain_task(task, classes, url))
    write_atomic(out / "labeling.xml", labeling_config(classes))
    write_atomic(out / "tasks.json", json.dumps(plain))
    return [task["data"]["item_id"] for task in plain]


def read_export(path: Path, classes: ClassMap) -> Iterable[Annotation]:
    """Finished work from Label Studio's JSON export.

    Raises:
        DataError: The file has another form, or names a class that is unknown.
    """
    try:
        plain = json.loads(path.read_text())
        if not isinstance(plain, list):
            raise TypeError("it is no list of tasks")
        for task in plain:
            item_id = str(task["data"]["item_id"])
            for annotation in task["annotations"]:
                if not annotation.get("was_cancelled"):
                    yield _annotation(item_id, annotation, classes, f"{path}, item {item_id[:12]}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: is no JSON export of Label Studio ({error!r}); choose the format JSON there"
        ) from None


def _annotation(item_id: str, plain: dict[str, Any], classes: ClassMap, where: str) -> Annotation:
    who = plain.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    name = None if who is None else str(who)
    label: NDArray[np.uint8] | None = None
    for shape in plain["result"]:
        if shape.get("from_name") == ASKED or shape["type"] not in ("brushlabels", "polygonlabels"):
            continue
        size = (int(shape["original_height"]), int(shape["original_width"]))
        label = np.full(size, IGNORE_INDEX, np.uint8) if label is None else label
        if label.shape != size:
            raise DataError(f"{where}: shapes of two sizes, {label.shape} and {size}")
        # What was drawn later lies above.
        label[_mask(shape, size)] = _train_id(shape, classes, where)
    at = plain.get("updated_at") or plain.get("created_at")
    moment = datetime.fromisoformat(str(at).replace("Z", "+00:00")) if at else None
    return Annotation(item_id, name, moment, np.zeros((0, 0), np.uint8) if label is None else label)


def _train_id(shape: dict[str, Any], classes: ClassMap, where: str) -> int:
    (name,) = shape["value"][shape["type"]]
    if name not in classes.names:
        raise DataError(f"{where}: label {name!r} is unknown; classes: {', '.join(classes.names)}")
    return classes.names.index(name)


def _mask(shape: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    if shape["type"] == "brushlabels":
        return decode_brush(shape["value"]["rle"], *size)
    points = np.array(shape["value"]["points"], np.float64) / 100 * (size[1], size[0])
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    return mask > 0


def _brush(task: Task, name: str, label: str, score: float, mask: NDArray[np.bool_]) -> dict[str, Any]:
    value = {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]}
    return {**_shape(task, name, BRUSH, "brushlabels"), "score": score, "value": value}


def _outline(task: Task, index: int, number: int, ring: Iterable[tuple[int, int]]) -> dict[str, Any]:
    height, width = task.size
    points = [[100 * (x + 0.5) / width, 100 * (y + 0.5) / height] for x, y in ring]
    value = {"points": points, "polygonlabels": [ASKED_LABEL]}
    return {**_shape(task, f"asked-{index}-{number}", ASKED, "polygonlabels"), "value": value}


def _rings(task: Task, index: int) -> Iterable[tuple[int, tuple[tuple[int, int], ...]]]:
    # Two points are no outline; such a sliver is told by its brush alone.
    rings = task.record.regions[index].polygons
    return [(number, ring) for number, ring in enumerate(rings) if len(ring) >= 3]


def _shape(task: Task, name: str, control: str, kind: str) -> dict[str, Any]:
    height, width = task.size
    return {
        "id": f"{task.id[:16]}-{name}",
        "from_name": control,
        "to_name": "image",
        "type": kind,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }


def _image_url(task: Task, prefix: str | None) -> str:
    if prefix is not None:
        return f"{prefix}{task.id}.png"
    if task.bucket.startswith(("s3:", "gs:", "az:")):
        image = next(blob for blob in task.record.blobs if blob.kind == "image")
        return f"{task.bucket}/{image.key}"
    return f"/data/local-files/?d={quote(f'images/{task.id}.png')}"
