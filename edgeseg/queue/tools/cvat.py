"""CVAT: "CVAT for images 1.1" with masks to import, and that or "Segmentation mask 1.1" back."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.classes import IGNORE_INDEX, ClassMap, voc_color
from edgeseg.errors import DataError
from edgeseg.files import atomic_path, write_atomic
from edgeseg.queue.tools.lint import BACKGROUND
from edgeseg.queue.tools.task import Annotation, Task, predicted_masks
from edgeseg.queue.validation import MAX_PIXELS

MASKS_FOLDER = "SegmentationClass/"
MAX_MEMBER_BYTES = 1 << 30
OBJECT_COLORS = np.array([voc_color(number) for number in range(256)], np.uint8)
"""Colours of the objects of a frame, as readers of PASCAL VOC know them; the first one means no object."""


def write_tasks(tasks: Iterable[Task], classes: ClassMap, out: Path) -> list[str]:
    """Writes ``images/``, ``annotations.xml`` (CVAT for images 1.1), ``labels.json`` and ``manifest.jsonl``.

    Returns:
        Ids of the items; an image is named by its item's.
    """
    root, ids = _root(classes), list[str]()
    manifest: list[dict[str, Any]] = [{"version": "1.0"}, {"type": "images"}]
    for task in tasks:
        height, width = task.size
        write_atomic(out / "images" / f"{task.id}.png", task.image)
        root.append(_image(task, len(ids), classes))
        checksum = hashlib.md5(task.image, usedforsecurity=False).hexdigest()
        manifest.append(
            {"name": task.id, "extension": ".png", "width": width, "height": height, "meta": {}, "checksum": checksum}
        )
        ids.append(task.id)
    write_atomic(out / "annotations.xml", ET.tostring(root, encoding="utf-8", xml_declaration=True))
    labels = [{"name": row.name, "color": "#{:02x}{:02x}{:02x}".format(*row.color)} for row in classes.classes]
    write_atomic(out / "labels.json", json.dumps(labels))
    write_atomic(out / "images" / "manifest.jsonl", "".join(json.dumps(line) + "\n" for line in manifest))
    return ids


def write_masks(labels: Iterable[tuple[str, NDArray[np.uint8]]], classes: ClassMap, path: Path) -> None:
    """Writes a "Segmentation mask 1.1" zip.

    Pixels without a label are the background, the one class that CVAT always has.

    Args:
        labels: Name and label map (H, W) uint8 of each frame.
        classes: Meaning of the train ids.
        path: The zip file.
    """
    palette = np.zeros((256, 3), np.uint8)
    palette[: classes.num_classes] = [row.color for row in classes.classes]
    with atomic_path(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = [(BACKGROUND, (0, 0, 0)), *((row.name, row.color) for row in classes.classes if row.name != BACKGROUND)]
        lines = ["# label:color_rgb:parts:actions", *(f"{name}:{r},{g},{b}::" for name, (r, g, b) in rows)]
        archive.writestr("labelmap.txt", "\n".join(lines) + "\n")
        names = []
        for name, label in labels:
            names.append(name)
            archive.writestr(f"{MASKS_FOLDER}{name}.png", _png(palette[label]))
            pieces = _pieces(label)
            # Its readers know 255 objects a frame; without a file they take each class as one.
            if pieces.max() < len(OBJECT_COLORS):
                archive.writestr(f"SegmentationObject/{name}.png", _png(OBJECT_COLORS[pieces]))
        archive.writestr("ImageSets/Segmentation/default.txt", "".join(f"{name}\n" for name in names))


def read_export(path: Path, classes: ClassMap) -> Iterator[Annotation]:
    """Finished work: a zip of "Segmentation mask 1.1", or "CVAT for images 1.1" as XML or zip.

    CVAT tells nobody's name of a shape: the annotator is who the frame's job or task is assigned to, the date its last
    change. Segmentation masks have neither.

    Raises:
        DataError: The file has another form, or holds a colour or label that is unknown.
    """
    try:
        if not zipfile.is_zipfile(path):
            yield from _from_xml(path.read_bytes(), classes, path)
            return
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "annotations.xml" in names:
                yield from _from_xml(_member(archive, "annotations.xml"), classes, path)
            elif "labelmap.txt" in names:
                yield from _from_masks(archive, classes, path)
            else:
                raise DataError(f"{path}: holds neither annotations.xml nor labelmap.txt; export CVAT for images 1.1")
    except (OSError, ET.ParseError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is no export of CVAT ({error!r})") from None


def _root(classes: ClassMap) -> ET.Element:
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for row in classes.classes:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = row.name
        ET.SubElement(label, "color").text = "#{:02x}{:02x}{:02x}".format(*row.color)
        ET.SubElement(label, "type").text = "any"
        ET.SubElement(label, "attributes")
    return root


def _image(task: Task, number: int, classes: ClassMap) -> ET.Element:
    height, width = task.size
    image = ET.Element("image", id=str(number), name=f"{task.id}.png", width=str(width), height=str(height))
    order = 0
    for _, cls, _, mask in predicted_masks(task):
        # One mask a connected piece: CVAT's editor takes nothing else apart again. A hole stays in it: CVAT takes the
        # runs of a mask as they are, and loses holes of polygons alone.
        pieces, numbered = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        for piece in range(1, pieces):
            image.append(_mask_element(numbered == piece, classes.names[cls], order))
            order += 1
    return image


def _mask_element(mask: NDArray[np.bool_], label: str, order: int) -> ET.Element:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    inside = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    height, width = inside.shape
    edges = np.flatnonzero(np.diff(inside.ravel().astype(np.int8), prepend=0))
    runs = np.diff(np.concatenate(([0], edges, [inside.size]))).tolist()
    return ET.Element(
        "mask", label=label, source="auto", occluded="0", rle=", ".join(map(str, runs)), left=str(left),
        top=str(top), width=str(width), height=str(height), z_order=str(order),
    )  # fmt: skip


def _from_xml(content: bytes, classes: ClassMap, path: Path) -> Iterator[Annotation]:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError(f"{path}: an export of CVAT has no document type; this file is not one")
    root = ET.fromstring(content)
    jobs = [job for place in ("job", "task", "project/tasks/task") for job in root.iterfind(f"meta/{place}")]
    job_of = {job.findtext("id"): job for job in jobs}
    for image in root.iter("image"):
        size = (int(image.attrib["height"]), int(image.attrib["width"]))
        if not 0 < size[0] * size[1] <= MAX_PIXELS:
            raise DataError(f"{path}: frame {image.attrib['name']} of {size[0]}x{size[1]} pixels is out of bounds")
        label = np.full(size, IGNORE_INDEX, np.uint8)
        shapes = [shape for shape in image if shape.tag in ("mask", "polygon")]
        for shape in sorted(shapes, key=lambda shape: int(shape.attrib.get("z_order", 0))):
            name = shape.attrib["label"]
            if name not in classes.names:
                raise DataError(f"{path}: label {name!r} is unknown; classes: {', '.join(classes.names)}")
            label[_shape_mask(shape, size)] = classes.names.index(name)
        # Only the frames of a project say which task they are of.
        job = job_of.get(image.attrib["task_id"]) if "task_id" in image.attrib else jobs[0] if jobs else None
        yield Annotation(_item_id(image.attrib["name"]), *_author(job), label)


def _author(job: ET.Element | None) -> tuple[str | None, datetime | None]:
    """Who a job or task is assigned to, and when it was last changed."""
    who, at = (None, None) if job is None else (job.findtext("assignee/username"), job.findtext("updated"))
    return who or None, datetime.fromisoformat(at) if at else None


def _shape_mask(shape: ET.Element, size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(size, np.uint8)
    if shape.tag == "polygon":
        points = [[float(n) for n in point.split(",")] for point in shape.attrib["points"].split(";")]
        cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
        return mask > 0
    top, left, height, width = (int(float(shape.attrib[name])) for name in ("top", "left", "height", "width"))
    runs = np.array([int(run) for run in shape.attrib["rle"].split(",")])
    if min(top, left, height, width, int(runs.min())) < 0 or top + height > size[0] or left + width > size[1]:
        raise ValueError(f"a mask leaves its frame of {size[0]}x{size[1]}")
    if runs.sum() != height * width:
        raise ValueError(f"runs of a mask cover {runs.sum()} pixels of {height}x{width}")
    inside = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    mask[top : top + height, left : left + width] = inside
    return mask > 0


def _from_masks(archive: zipfile.ZipFile, classes: ClassMap, path: Path) -> Iterator[Annotation]:
    table = {int(_code(np.array(row.color))): train_id for train_id, row in enumerate(classes.classes)}
    table.setdefault(0, IGNORE_INDEX)
    for name in sorted(archive.namelist()):
        if name.startswith(MASKS_FOLDER) and name.endswith(".png"):
            pixels = cv2.imdecode(np.frombuffer(_member(archive, name), np.uint8), cv2.IMREAD_COLOR_RGB)
            if pixels is None:
                raise DataError(f"{path}: {name} cannot be decoded")
            codes, inverse = np.unique(_code(pixels), return_inverse=True)
            unknown = [code for code in codes.tolist() if code not in table]
            if unknown:
                color = tuple(unknown[0] >> shift & 255 for shift in (16, 8, 0))
                raise DataError(f"{path}: {name} has the colour {color}, which no class has")
            lookup = np.array([table[code] for code in codes.tolist()], np.uint8)
            yield Annotation(_item_id(name), None, None, lookup[inverse.reshape(pixels.shape[:2])])


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise DataError(f"{archive.filename}: {name} unpacks to more than {MAX_MEMBER_BYTES} bytes")
    return archive.read(name)


def _item_id(name: str) -> str:
    return PurePosixPath(name).stem


def _code(colors: NDArray[Any]) -> NDArray[np.int64]:
    rgb = colors.astype(np.int64)
    return np.asarray(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2])


def _pieces(label: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W): number of each connected piece of a class, from 1; 0 where nothing was labeled."""
    numbered, total = np.zeros(label.shape, np.int64), 0
    for cls in np.unique(label[label != IGNORE_INDEX]).tolist():
        pieces, found = cv2.connectedComponents((label == cls).astype(np.uint8), connectivity=8)
        numbered = np.where(found > 0, found + total, numbered)
        total += pieces - 1
    return numbered


def _png(image: NDArray[np.uint8]) -> bytes:
    done, content = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    if not done:
        raise DataError(f"an image of {image.shape[0]}x{image.shape[1]} pixels cannot be encoded as PNG")
    return content.tobytes()
