"""What a labeling tool is asked: a frame, the regions of it, and the model's prediction there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.bucket import record_key
from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import DataError
from edgeseg.queue.places import Bucket
from edgeseg.queue.validation import MAX_RECORD_BYTES, check_header, check_record
from edgeseg.records import Blob, Record, Region, Rle


@dataclass(frozen=True)
class Task:
    """One frame to be labeled.

    Attributes:
        record: What the vehicle said of it.
        asked: Positions of the regions that are asked for; none where the whole frame is.
        bucket: URL that its files lie in.
        image: The image file's bytes, PNG.
        classes: (H, W) uint8 train ids that the model predicted, ``IGNORE_INDEX`` where it saw nothing; None where
            the vehicle sent none.
        entropy: (H, W) uint8, 255 = log C nats; None where the vehicle sent none.
    """

    record: Record
    asked: tuple[int, ...]
    bucket: str
    image: bytes
    classes: NDArray[np.uint8] | None
    entropy: NDArray[np.uint8] | None

    @property
    def id(self) -> str:
        """The item's id, which every tool gives back."""
        return self.record.item_id

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.record.image.height, self.record.image.width

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions asked for."""
        return tuple(self.record.regions[index] for index in self.asked)

    @cached_property
    def where(self) -> NDArray[np.bool_]:
        """(H, W): which pixels are asked for."""
        if not self.asked:
            return np.ones(self.size, bool)
        asked = np.zeros(self.size, bool)
        for region in self.regions:
            asked |= decode_mask(region.rle)
        return asked


@dataclass(frozen=True)
class Annotation:
    """One person's labels of one frame.

    Attributes:
        item_id: Which frame.
        annotator: Who, as the tool names them; None where it does not.
        at: When it was last changed; None where the tool does not say so.
        label: (H, W) uint8 train ids, ``IGNORE_INDEX`` where nothing was labeled.
    """

    item_id: str
    annotator: str | None
    at: datetime | None
    label: NDArray[np.uint8]


def read_task(bucket: Bucket, vehicle: str, item_id: str, asked: tuple[int, ...]) -> Task:
    """Fetches a frame's record and files, each held against its checksum before it is decoded.

    Raises:
        DataError: One of them is missing, damaged or out of bounds.
        QueueError: The bucket cannot be reached.
    """
    record = read_item(bucket, vehicle, item_id)
    if any(index >= len(record.regions) for index in asked):
        raise DataError(
            f"{record_key(vehicle, item_id)}: has {len(record.regions)} regions, asked for are {list(asked)}"
        )
    if record.form == "map":
        raise DataError(f"item {item_id}: the vehicle kept its maps without the image, so nobody can label it")
    files = {blob.kind: read_blob(bucket, record, blob) for blob in record.blobs}
    decode(files["image"], record, "image")
    maps = {kind: decode(files[kind], record, kind) for kind in ("classes", "entropy") if kind in files}
    return Task(record, asked, bucket.name, files["image"], maps.get("classes"), maps.get("entropy"))


def read_item(bucket: Bucket, vehicle: str, item_id: str) -> Record:
    """An item's record, checked again: whoever may write to the bucket may have changed it since it was taken in.

    Raises:
        DataError: It is missing, damaged or out of bounds.
        QueueError: The bucket cannot be reached.
    """
    key = record_key(vehicle, item_id)
    return check_record(bucket.read(key, MAX_RECORD_BYTES), key)


def read_blob(bucket: Bucket, record: Record, blob: Blob) -> bytes:
    """A blob's bytes, whole and of the announced size.

    Raises:
        DataError: It is missing, damaged, or of another size than the record says.
    """
    content = bucket.read(blob.key, blob.bytes)
    where = f"{blob.kind} of item {record.item_id}"
    if content is None:
        raise DataError(f"{where}: is missing in {bucket.name}; was it removed there?")
    if len(content) != blob.bytes or hashlib.sha256(content).hexdigest() != blob.digest:
        raise DataError(f"{where}: is damaged, its bytes are not those of the record's digest")
    check_header(record, blob.kind, content)
    return content


def decode(content: bytes, record: Record, kind: str) -> NDArray[np.uint8]:
    """Decodes a checked blob: (H, W, 3) RGB for the image, (H, W) for the maps.

    Raises:
        DataError: It is damaged.
    """
    flags = cv2.IMREAD_COLOR_RGB if kind == "image" else cv2.IMREAD_GRAYSCALE
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None or pixels.shape[:2] != (record.image.height, record.image.width):
        raise DataError(f"{kind} of item {record.item_id}: cannot be decoded; the vehicle sent a damaged file")
    return np.asarray(pixels, np.uint8)


def decode_mask(rle: Rle) -> NDArray[np.bool_]:
    """(H, W) bool of a record's run-length encoding, which goes column by column."""
    height, width = rle.size
    flat = np.repeat(np.arange(len(rle.counts)) % 2 == 1, rle.counts)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def predicted_masks(task: Task) -> list[tuple[str, int, float, NDArray[np.bool_]]]:
    """The model's prediction where it is asked for: (stable name, train id, score, mask (H, W) bool).

    A region whose classes the vehicle sent is cut along them; otherwise it is of its majority class as a whole. The
    score is that of the region; of a frame that is asked for as a whole, the frame's.
    """
    if not task.asked:
        parts = [] if task.classes is None else _by_class(task.classes, task.where)
        return [(f"frame-{cls}", cls, task.record.scores[0].value, mask) for cls, mask in parts]
    found = []
    for index, region in zip(task.asked, task.regions, strict=True):
        inside = decode_mask(region.rle)
        if task.classes is not None:
            parts = _by_class(task.classes, inside)
        else:
            parts = [] if region.class_id is None else [(region.class_id, inside)]
        found += [(f"r{index}-{cls}", cls, region.score, mask) for cls, mask in parts]
    return found


def _by_class(classes: NDArray[np.uint8], inside: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.bool_]]]:
    present = np.unique(classes[inside]).tolist()
    return [(cls, inside & (classes == cls)) for cls in present if cls != IGNORE_INDEX]
