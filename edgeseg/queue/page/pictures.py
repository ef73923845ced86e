"""An item's pictures for a browser: read from the bucket by the record's own keys, checked, decoded, made anew.

No byte that a vehicle sent reaches the browser as it is, and no name from a request reaches the bucket.
"""

from __future__ import annotations

import io
import threading
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import DataError
from edgeseg.queue.page.store import Row, Store
from edgeseg.queue.tools.task import decode, read_blob

Kind = Literal["thumb", "frame", "prediction", "entropy"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEDIA_TYPES: dict[Kind, str] = {
    "thumb": "image/jpeg", "frame": "image/jpeg", "prediction": "image/png", "entropy": "image/png"
}  # fmt: skip
MAX_SIDE_PX, THUMB_SIDE_PX = 1600, 320
AT_ONCE = 2
"""Pictures that are decoded at a time: each may take 200 MB."""
_BLOBS: dict[Kind, Literal["image", "classes", "entropy"]] = {
    "thumb": "image", "frame": "image", "prediction": "classes", "entropy": "entropy"
}  # fmt: skip
_HEAT = cv2.cvtColor(cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


class Pictures:
    """Makes pictures of items.

    Args:
        store: Where the items' records lie.
        palette: (256, 3) uint8 RGB by train id.
    """

    def __init__(self, store: Store, palette: NDArray[np.uint8]) -> None:
        self._store, self._palette = store, palette
        self._gate = threading.BoundedSemaphore(AT_ONCE)

    def make(self, row: Row, kind: Kind) -> bytes:
        """A picture's file: JPEG of the frame, PNG of the maps, neither side above ``MAX_SIDE_PX``.

        Args:
            row: The item.
            kind: ``prediction`` is clear where the model saw nothing, ``entropy`` the clearer the more certain it was.

        Raises:
            DataError: The vehicle sent no such picture, or it is missing, damaged or out of bounds.
            QueueError: The bucket cannot be reached.
        """
        record = self._store.record(row)
        blob = next((blob for blob in record.blobs if blob.kind == _BLOBS[kind]), None)
        if blob is None:
            raise DataError(f"{_BLOBS[kind]} of item {record.item_id}: the vehicle sent none")
        with self._gate:
            content = read_blob(self._store.bucket(row.bucket), record, blob)
            pixels = _shrunk(decode(content, record, blob.kind), kind)
            return self._encoded(pixels, kind)

    def _encoded(self, pixels: NDArray[np.uint8], kind: Kind) -> bytes:
        if pixels.ndim == 3:
            return _saved(Image.fromarray(pixels), "JPEG", quality=86)
        picture = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
        if kind == "entropy":
            picture.putpalette(_HEAT.tobytes())
            return _saved(picture, "PNG", transparency=bytes(range(256)))
        picture.putpalette(self._palette.tobytes())
        return _saved(picture, "PNG", transparency=IGNORE_INDEX)


def _shrunk(pixels: NDArray[np.uint8], kind: Kind) -> NDArray[np.uint8]:
    side = THUMB_SIDE_PX if kind == "thumb" else MAX_SIDE_PX
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_NEAREST if kind == "prediction" else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()
