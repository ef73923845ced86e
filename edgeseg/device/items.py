"""A scored frame → a spool item: its id, its files, its record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.device.crops import blank_outside
from edgeseg.device.regions import Outline, areas, majority_class, outlines
from edgeseg.device.spool.contents import VALUE
from edgeseg.device.strategies import FrameScore
from edgeseg.device.view import FrameView
from edgeseg.errors import DataError
from edgeseg.frames import Frame
from edgeseg.images import difference_hash
from edgeseg.records import Blob, ClockState, ImageSize, Location, Record, Region, Rle, Score, within_bounds

PNG_LEVEL = 1
"""Fast: a vehicle's processor is worth more than the last tenth of a file."""
WRITTEN_IN = 2026
"""A clock that shows an earlier year was never set."""


@dataclass(frozen=True)
class Provenance:
    """What an item says of where it comes from, the same for a whole run.

    Attributes:
        vehicle, drive: Who saw it, and during which drive.
        model_digest: SHA-256 of the model file.
        policy, policy_version: What decided to keep it.
        strategy: What scored it.
        place: Where it was seen, where known.
        clock: State of the clock, where the frame has a time of capture.
        blurred: Classes that were blurred before anything was written.
    """

    vehicle: str
    drive: str
    model_digest: str
    policy: str
    policy_version: str
    strategy: str
    place: Location | None = None
    clock: ClockState = "unverified"
    blurred: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """What a policy says of a frame that it keeps.

    Attributes:
        form: How much of it.
        worth: What it is worth to the spool; None where its score says that.
        reason: Why, where something outside asked for it; 40 characters at most.
    """

    form: Literal["full", "crops", "map"] = "full"
    worth: float | None = None
    reason: str = ""


AS_IT_IS = Kept()


def item_id(frame: Frame, model_digest: str) -> str:
    """SHA-256 over the frame's id, its size and pixels, and the model's digest, 64 hexadecimal digits.

    The source's path is left out, so that a drive keeps its ids when its folder is moved.
    """
    sha = hashlib.sha256()
    for part in (frame.id, str(frame.image.shape), model_digest):
        sha.update(part.encode() + b"\0")
    sha.update(np.ascontiguousarray(frame.image).data)
    return sha.hexdigest()


def encode_blobs(
    view: FrameView, image: NDArray[np.uint8] | None, mask: NDArray[np.bool_] | None = None
) -> dict[str, bytes]:
    """The item's files by kind: image, class map and, where the model gives it, entropy map, in camera pixels.

    Args:
        view: The frame and what the model said of it.
        image: (H, W, 3) uint8 RGB, the frame as it may be shown; None to leave it out.
        mask: (H, W) bool, outside of which image and entropy are 0; None for nowhere.
    """
    blobs = {} if image is None else {"image": _png(_within(image[:, :, ::-1], mask), view.frame)}
    if "entropy" in view.outputs:
        blobs["entropy"] = _png(_within(view.entropy, mask), view.frame)
    if "class_map" in view.outputs:
        blobs["classes"] = _png(view.class_map, view.frame)
    return blobs


def describe(
    view: FrameView,
    score: FrameScore,
    chosen: NDArray[np.intp],
    blobs: Mapping[str, bytes],
    provenance: Provenance,
    kept: Kept = AS_IT_IS,
) -> Record:
    """Makes the record of a scored frame.

    Args:
        view: The frame and what the model said of it.
        score: The strategy's verdict.
        chosen: Ids of the regions worth a label, (K,), most uncertain first.
        blobs: The item's files by kind.
        provenance: Where it comes from.
        kept: What a policy says of it.

    Raises:
        DataError: A field is out of the record's bounds, such as a score that is not finite.
    """
    with within_bounds(f"frame {view.frame.id}"):
        return _record(view, score, chosen, blobs, provenance, kept)


def _record(
    view: FrameView,
    score: FrameScore,
    chosen: NDArray[np.intp],
    blobs: Mapping[str, bytes],
    provenance: Provenance,
    kept: Kept,
) -> Record:
    frame = view.frame
    worth = () if kept.worth is None else (Score(name=VALUE, value=kept.worth, unit=kept.reason),)
    height, width = frame.image.shape[:2]
    captured_at, clock = _capture_time(frame, provenance.clock)
    return Record(
        item_id=item_id(frame, provenance.model_digest),
        vehicle=provenance.vehicle,
        drive=provenance.drive,
        captured_at=captured_at,
        clock=clock,
        place=provenance.place,
        source=frame.source,
        frame_id=frame.id,
        frame_number=frame.index,
        timestamp_s=frame.timestamp_s,
        model_digest=provenance.model_digest,
        policy=provenance.policy,
        policy_version=provenance.policy_version,
        strategy=provenance.strategy,
        scores=(Score(name=score.name, value=score.value, unit=score.unit), *worth),
        image=ImageSize(height=height, width=width),
        image_hash=difference_hash(frame.image),
        regions=_regions(view, score, chosen),
        blurred=provenance.blurred,
        form=kept.form,
        blobs=tuple(_blob(kind, content) for kind, content in blobs.items()),
    )


def _regions(view: FrameView, score: FrameScore, chosen: NDArray[np.intp]) -> tuple[Region, ...]:
    sizes = areas(score.labels)[chosen].tolist()
    classes = majority_class(score.labels, view.class_map, chosen)
    values = score.region_values[chosen].tolist()
    shapes = outlines(score.labels, chosen)
    return tuple(
        _region(view, shape, class_id, value, score.region_unit, area)
        for shape, class_id, value, area in zip(shapes, classes, values, sizes, strict=True)
    )


def _region(view: FrameView, shape: Outline, class_id: int | None, value: float, unit: str, area: int) -> Region:
    height, width = view.frame.image.shape[:2]
    return Region(
        polygons=tuple(tuple((x, y) for x, y in ring.tolist()) for ring in shape.polygons),
        rle=Rle(size=(height, width), counts=shape.rle),
        class_id=class_id,
        class_name=None if class_id is None else view.info.class_map.names[class_id],
        score=value,
        unit=unit,
        area_px=area,
        clicks=shape.clicks,
    )


def _blob(kind: str, content: bytes) -> Blob:
    digest = hashlib.sha256(content).hexdigest()
    return Blob.model_validate(
        {"kind": kind, "key": f"sha256/{digest[:2]}/{digest}.png", "digest": digest, "bytes": len(content)}
    )


def _capture_time(frame: Frame, clock: ClockState) -> tuple[datetime | None, ClockState]:
    if frame.wall_time_s is None:
        return None, "unknown"
    moment = datetime.fromtimestamp(frame.wall_time_s, timezone.utc)
    return moment, clock if moment.year >= WRITTEN_IN else "unset"


def _within(image: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    return image if mask is None else blank_outside(image, mask)


def _png(image: NDArray[np.uint8], frame: Frame) -> bytes:
    done, content = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
    if not done:
        raise DataError(f"frame {frame.id}: cannot be encoded as PNG, its size is {image.shape[:2]}")
    return content.tobytes()
