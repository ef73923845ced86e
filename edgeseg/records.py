"""The record: what a vehicle says of one flagged frame. A versioned schema with bounds on every field.

Positions are camera pixels of the upright frame, x to the right and y down, (0, 0) the top left pixel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgeseg.errors import DataError

RECORD_VERSION = 1

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hexadecimal digits")]
LABEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names of vehicles and drives."""
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[str, Field(min_length=1, max_length=1024)]
Pixels = Annotated[int, Field(ge=1, le=65535)]
Position = Annotated[int, Field(ge=0, le=65534)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Ring = Annotated[tuple[tuple[Position, Position], ...], Field(min_length=1, max_length=100_000)]
ClockState = Literal["synchronized", "unverified", "unset", "unknown"]
"""``unverified``: the machine's clock, not compared with anything; ``unset``: it shows a year before this
software was written; ``unknown``: there is no time of capture."""

_Y = itemgetter(1)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Location(_Part):
    """Where the frame was captured (WGS 84)."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    accuracy_m: Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)] | None = None


class Score(_Part):
    """One figure about the frame."""

    name: Name
    value: Finite
    unit: Annotated[str, Field(max_length=40)]


class ImageSize(_Part):
    """Size of the camera's frame in pixels."""

    height: Pixels
    width: Pixels


class Rle(_Part):
    """Run-length encoding as COCO's uncompressed one: column by column, runs of 0 and 1 in turn, 0 first."""

    size: tuple[Pixels, Pixels] = Field(description="height, width")
    counts: Annotated[tuple[Count, ...], Field(min_length=1, max_length=4_000_000)]

    @model_validator(mode="after")
    def _covers_the_frame(self) -> Rle:
        if sum(self.counts) != self.size[0] * self.size[1]:
            raise ValueError(f"runs cover {sum(self.counts)} pixels of {self.size[0]}x{self.size[1]}")
        return self


class Region(_Part):
    """A part of the frame that is worth a label.

    Attributes:
        rle: The region's exact pixels.
        polygons: Outer outlines, one ring a connected piece, through the centres of border pixels; holes
            are told by the RLE alone.
        class_id: Train id that the model predicts for most of its pixels; None where it predicts nothing.
        class_name: That class's name.
        score: Uncertainty by which it was chosen; ``unit`` says what of.
        area_px: Pixels it has.
        clicks: What labeling it by hand would cost: corners of its outline, simplified to 2 pixels, and
            one click for the class.
    """

    polygons: Annotated[tuple[Ring, ...], Field(min_length=1, max_length=10_000)]
    rle: Rle
    class_id: Annotated[int, Field(ge=0, le=254)] | None
    class_name: Name | None
    score: Finite
    unit: Annotated[str, Field(max_length=40)]
    area_px: Annotated[int, Field(ge=1, le=2**32)]
    clicks: Annotated[int, Field(ge=1, le=2**32)]

    @model_validator(mode="after")
    def _area_is_the_masks(self) -> Region:
        if sum(self.rle.counts[1::2]) != self.area_px:
            raise ValueError(f"area_px is {self.area_px}, but the RLE has {sum(self.rle.counts[1::2])} pixels")
        height, width = self.rle.size
        if any(max(ring)[0] >= width or max(map(_Y, ring)) >= height for ring in self.polygons):
            raise ValueError(f"a polygon leaves the frame of {height}x{width}")
        return self


class Blob(_Part):
    """A file that belongs to the record.

    Attributes:
        kind: ``image`` (PNG RGB), ``entropy`` (PNG, 255 = log C nats) or ``classes`` (PNG of train ids),
            the maps in camera pixels; 255 in ``classes`` is where the model saw nothing.
        key: Name by which it is stored, derived from its digest, so that equal content has one key.
        digest: SHA-256 of its bytes.
        bytes: Length in bytes.
    """

    kind: Literal["image", "entropy", "classes"]
    key: Annotated[str, Field(pattern=r"^[a-z0-9]+/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z]{2,5}$")]
    digest: Digest
    bytes: Annotated[int, Field(ge=1, le=2**40)]


class Record(_Part):
    """One flagged frame.

    Attributes:
        version: ``RECORD_VERSION``.
        item_id: Hash of the frame's name, its pixels and the model's digest.
        vehicle, drive: Who saw it, and during which drive.
        captured_at, clock: Time of capture where known, and how far it can be trusted.
        place: Where, where known.
        source, frame_id, frame_number, timestamp_s: Which frame of which source, and when in it (seconds
            from the source's start; None for stills).
        model_digest: SHA-256 of the model file.
        policy, policy_version: What decided to keep it.
        strategy: What scored it.
        scores: The frame's scores; the first is the one it is ranked by.
        image: Size of the frame.
        image_hash: Difference hash of the frame (``images.difference_hash``); alike frames differ in few bits. None in
            records that were made before there was one.
        regions: Most uncertain first.
        blurred: Classes whose regions were blurred before anything was written, as ``--blur`` names them.
        form: How much of the frame was kept: all of it (``full``), its regions with context, black elsewhere
            (``crops``), or the maps without the image (``map``).
        blobs: The files, each kind at most once.
    """

    version: Literal[1] = 1
    item_id: Digest
    vehicle: Label
    drive: Label
    captured_at: AwareDatetime | None
    clock: ClockState
    place: Location | None = None
    source: Place
    frame_id: Place
    frame_number: Count
    timestamp_s: Annotated[float, Field(ge=0, le=1e10, allow_inf_nan=False)] | None
    model_digest: Digest
    policy: Name
    policy_version: Name
    strategy: Name
    scores: Annotated[tuple[Score, ...], Field(min_length=1, max_length=32)]
    image: ImageSize
    image_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    regions: Annotated[tuple[Region, ...], Field(max_length=20_000)]
    blurred: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    form: Literal["full", "crops", "map"] = "full"
    blobs: Annotated[tuple[Blob, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _parts_fit(self) -> Record:
        if any(region.rle.size != (self.image.height, self.image.width) for region in self.regions):
            raise ValueError("the RLE of one of its regions is of another size than the image")
        kinds = [blob.kind for blob in self.blobs]
        if len(set(kinds)) != len(kinds) or ("image" in kinds) == (self.form == "map"):
            raise ValueError(f"blobs must hold the image, unless the form is map, and no kind twice, got {kinds}")
        return self

    def to_json(self) -> str:
        """JSON text; ``read_record`` is its inverse."""
        return self.model_dump_json()


@contextmanager
def within_bounds(what: str) -> Iterator[None]:
    """Turns a part of a record that is made inside the block with a field out of bounds into a ``DataError``.

    Args:
        what: What the record is of, for the message, such as ``"frame f_000012"``.
    """
    try:
        yield
    except ValidationError as error:
        raise DataError(f"{what}: no record can be made of it: {_problems(error)}") from None


def read_record(text: str | bytes, where: str) -> Record:
    """Reads a record's JSON text.

    Args:
        text: The text.
        where: File name or address for the error message.

    Raises:
        DataError: It is no JSON, of another version, or a field is missing, unknown or out of bounds.
    """
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        raise _explained(text, error, where) from None


def json_schema() -> dict[str, Any]:
    """The record's JSON schema (draft 2020-12), for those who read records with other tools."""
    return Record.model_json_schema()


def _explained(text: str | bytes, error: ValidationError, where: str) -> DataError:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as problem:
        return DataError(f"{where}: is not a JSON record ({problem}); it may be truncated")
    version = plain.get("version") if isinstance(plain, dict) else None
    if version != RECORD_VERSION:
        known = f"this edgeseg reads {RECORD_VERSION}"
        return DataError(f"{where}: record version {version!r}, but {known}; update edgeseg")
    return DataError(f"{where}: record cannot be used: {_problems(error)}")


def _problems(error: ValidationError, most: int = 5) -> str:
    """The first problems, each by its dotted name, with the value cut short."""
    found = error.errors()
    places = [".".join(map(str, e["loc"])) or "record" for e in found]
    told = [f"{p}: {e['msg']} (got {repr(e['input'])[:80]})" for p, e in zip(places[:most], found, strict=False)]
    return "; ".join(told) + (f"; and {len(found) - most} more" if len(found) > most else "")
