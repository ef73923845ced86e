"""Finished work of a labeling tool → a dataset that ``train`` and ``distill`` read as ``labeled:PATH``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from edgeseg.classes import IGNORE_INDEX, ClassMap
from edgeseg.datasets.labeled import ANNOTATIONS, IMAGES, LINEAGE, MASKS, write_classes
from edgeseg.errors import ConfigError, DataError, QueueError
from edgeseg.files import write_atomic
from edgeseg.images import read_label, write_png
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import TOOLS, Tool
from edgeseg.queue.merging import Merged, Rest, certainty, merge
from edgeseg.queue.places import Bucket
from edgeseg.queue.states import change_state
from edgeseg.queue.tables import Choice, Item
from edgeseg.queue.tools import cvat, folder, label_studio
from edgeseg.queue.tools.task import Annotation, Task, decode_mask, read_task

TAKEN_BACK = ("exported", "labeled", "merged")
"""States in which labels are expected."""
Drawn = Sequence[tuple[dict[str, Any], NDArray[np.uint8]]]
"""Of each annotator of a frame: name and date, None where unknown; label map (H, W)."""


@dataclass(frozen=True)
class ImportSettings:
    """How labels are taken back.

    Attributes:
        source: The tool that they come from.
        rest: What pixels get that nobody labeled: ``ignore`` (255), or the vehicle's ``prediction``.
        min_confidence: The prediction counts where its confidence, 1 - entropy / log C, is at least this.
    """

    source: Tool = "label-studio"
    rest: Rest = "ignore"
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        if self.source not in TOOLS:
            raise ConfigError(f"--from {self.source!r}: tools are {', '.join(TOOLS)}")
        if self.rest not in ("ignore", "prediction"):
            raise ConfigError(f"--rest {self.rest!r}: write ignore or prediction")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence must be within 0 to 1, got {self.min_confidence}")


@dataclass(frozen=True)
class ImportReport:
    """What came back.

    Attributes:
        items: Frames with labels.
        annotations: Label maps, one for each frame and annotator.
        labeled_px: Pixels that people labeled.
        predicted_px: Pixels that have the model's prediction.
        conflict_px: Pixels on which annotators disagree.
        conflicts: Frames with such pixels.
    """

    items: int
    annotations: int
    labeled_px: int
    predicted_px: int
    conflict_px: int
    conflicts: int

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def import_labels(
    settings: ImportSettings, path: Path, classes: ClassMap, database: Database, out: Path
) -> ImportReport:
    """Takes labels back and merges them; importing again changes nothing.

    Args:
        settings: From which tool, and what the rest becomes.
        path: The tool's export.
        classes: Meaning of the train ids, as it was exported.
        database: The queue.
        out: Folder of the dataset; earlier labels in it stay.

    Raises:
        DataError: The export has another form, or does not fit a frame.
        QueueError: An item is not in the queue, or was never exported.
        OutputError: ``out`` cannot be written.
    """
    write_classes(classes, out)
    counts: dict[str, int] = {}
    for annotation in _read(settings, path, classes):
        row = _row(database, annotation.item_id)
        task = _task(row)
        who = annotation.annotator or settings.source
        _keep(annotation, who, task, out)
        if row.state == "exported":
            change_state(database, [task.id], "labeled", who)
        counts[task.id] = counts.get(task.id, 0) + 1
    merged = [_finish(settings, _row(database, item_id), database, out) for item_id in counts]
    return ImportReport(
        items=len(counts),
        annotations=sum(counts.values()),
        labeled_px=sum(int(one.labeled.sum()) for one in merged),
        predicted_px=sum(int(one.predicted.sum()) for one in merged),
        conflict_px=sum(int(one.conflict.sum()) for one in merged),
        conflicts=sum(bool(one.conflict.any()) for one in merged),
    )


def _read(settings: ImportSettings, path: Path, classes: ClassMap) -> Iterable[Annotation]:
    read = {"label-studio": label_studio.read_export, "cvat": cvat.read_export, "folder": folder.read_labels}
    return read[settings.source](path, classes)


def _row(database: Database, item_id: str) -> Any:
    columns = (Item.item_id, Item.vehicle, Item.bucket, Item.state, Choice.region_indexes, Choice.batch)
    chosen = select(*columns).outerjoin(Choice, Choice.item == Item.number).where(Item.item_id == item_id)
    with database.read() as connection:
        row = connection.execute(chosen).one_or_none()
    if row is None:
        raise QueueError(f"item {item_id[:80]} is not in the queue; is this the --db that it was exported from?")
    if row.state not in TAKEN_BACK:
        raise QueueError(f"item {item_id} is {row.state}: it is not out for labeling; did its lease run out?")
    return row


def _task(row: Any) -> Task:
    return read_task(Bucket(row.bucket), row.vehicle, row.item_id, tuple(row.region_indexes or ()))


def _keep(annotation: Annotation, who: str, task: Task, out: Path) -> None:
    """Keeps what one annotator, or a tool that names none, drew; an older one of the same gives way."""
    label = annotation.label if annotation.label.size else np.full(task.size, IGNORE_INDEX, np.uint8)
    if label.shape != task.size:
        raise DataError(f"item {task.id}: labels of {label.shape} pixels for a frame of {task.size}")
    # The annotator's name is the tool's, so it never becomes a path.
    name = hashlib.sha256(who.encode()).hexdigest()[:16]
    place = out / ANNOTATIONS / task.id
    write_png(place / f"{name}.png", label)
    at = annotation.at.isoformat() if annotation.at else None
    write_atomic(place / f"{name}.json", json.dumps({"annotator": annotation.annotator, "at": at}))


def _finish(settings: ImportSettings, row: Any, database: Database, out: Path) -> Merged:
    task = _task(row)
    files = sorted((out / ANNOTATIONS / task.id).glob("*.png"))
    labels = [read_label(file) for file in files]
    prediction = task.classes if settings.rest == "prediction" else None
    confidence = None if task.entropy is None else certainty(task.entropy)
    merged = merge(labels, task.where, prediction, confidence, settings.min_confidence)
    who = [json.loads(file.with_suffix(".json").read_text()) for file in files]
    lineage = _lineage(settings, task, row.batch, merged, list(zip(who, labels, strict=True)))
    write_atomic(out / IMAGES / f"{task.id}.png", task.image)
    write_png(out / MASKS / f"{task.id}.png", merged.label)
    write_atomic(out / LINEAGE / f"{task.id}.json", json.dumps(lineage, indent=1))
    if row.state == "labeled":
        change_state(database, [task.id], "merged", "import")
    return merged


def _lineage(
    settings: ImportSettings,
    task: Task,
    batch: str | None,
    merged: Merged,
    drawn: Drawn,
) -> dict[str, Any]:
    record = task.record
    plain = record.model_dump(mode="json", exclude={"regions", "blobs", "version", "scores", "image_hash"})
    return {
        **plain,
        "batch": batch,
        "bucket": task.bucket,
        "rest": settings.rest,
        "min_confidence": settings.min_confidence,
        "annotators": _annotators(drawn, np.ones(task.size, bool)),
        "labeled_px": int(merged.labeled.sum()),
        "predicted_px": int(merged.predicted.sum()),
        "conflict_px": int(merged.conflict.sum()),
        "regions": [_region(task, index, merged, drawn) for index in task.asked],
    }


def _annotators(drawn: Drawn, inside: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Who drew in a part of a frame, when they last changed it, and how many pixels."""
    pixels = [int((label[inside] != IGNORE_INDEX).sum()) for _, label in drawn]
    return [{**who, "labeled_px": found} for (who, _), found in zip(drawn, pixels, strict=True)]


def _region(task: Task, index: int, merged: Merged, drawn: Drawn) -> dict[str, Any]:
    region = task.record.regions[index]
    inside = decode_mask(region.rle)
    labels, counts = np.unique(merged.label[inside & merged.labeled], return_counts=True)
    return {
        "index": index,
        "predicted": region.class_name,
        "score": region.score,
        "unit": region.unit,
        "area_px": region.area_px,
        "labeled_px": int((inside & merged.labeled).sum()),
        "conflict_px": int((inside & merged.conflict).sum()),
        "annotators": [one for one in _annotators(drawn, inside) if one["labeled_px"]],
        "train_ids": dict(zip(map(str, labels.tolist()), counts.tolist(), strict=True)),
    }
