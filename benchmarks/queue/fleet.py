"""Uploads of a fleet that does not exist, in the form in which ``edgeseg upload`` leaves them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeseg.bucket import arrival_key, record_key

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
CLASSES = ("road", "building", "tree", "car", "pole", "sign", "rider")
Plain = dict[str, Any]


def item_id(number: int) -> str:
    return hashlib.sha256(f"item {number}".encode()).hexdigest()


def png(height: int = 48, width: int = 64, seed: int = 0, channels: int = 3) -> bytes:
    shape = (height, width, 3) if channels == 3 else (height, width)
    done, content = cv2.imencode(".png", np.random.default_rng(seed).integers(0, 5, shape, np.uint8))
    assert done
    return content.tobytes()


def blob(kind: str, content: bytes) -> Plain:
    digest = hashlib.sha256(content).hexdigest()
    return {"kind": kind, "key": f"sha256/{digest[:2]}/{digest}.png", "digest": digest, "bytes": len(content)}


def box(x: int, y: int, width: int, height: int, frame: tuple[int, int], class_id: int, score: float) -> Plain:
    """A region that is a box, as a vehicle writes it."""
    rows, columns = frame
    mask = np.zeros(frame, bool)
    mask[y : y + height, x : x + width] = True
    flat = mask.T.ravel()
    return {
        "polygons": [[[x, y], [x + width - 1, y], [x + width - 1, y + height - 1], [x, y + height - 1]]],
        "rle": {"size": [rows, columns], "counts": _runs(flat)},
        "class_id": class_id,
        "class_name": CLASSES[class_id],
        "score": score,
        "unit": "nats",
        "area_px": width * height,
        "clicks": 5,
    }


def _runs(flat: np.ndarray) -> list[int]:
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    return [int(run) for run in np.diff(np.concatenate(([0], edges, [flat.size])))]


def plain_record(number: int, picture: bytes, frame: tuple[int, int] = (48, 64), **changes: Any) -> Plain:
    """A record in its plain form, different for every number."""
    rng = np.random.default_rng(number)
    regions = []
    for index in range(0 if "regions" in changes else 3):
        x, y = int(rng.integers(0, frame[1] - 10)), int(rng.integers(0, frame[0] - 10))
        regions.append(box(x, y, 8, 6, frame, int(rng.integers(0, 4)), 3.0 - index + float(rng.random())))
    plain = {
        "version": 1,
        "item_id": item_id(number),
        "vehicle": f"car-{number % 3}",
        "drive": f"drive-{number % 5}",
        "captured_at": (START + timedelta(seconds=number)).isoformat(),
        "clock": "synchronized",
        "place": {"latitude_deg": 48.0 + 0.02 * (number % 4), "longitude_deg": 2.0},
        "source": "camera:0",
        "frame_id": f"f_{number:06d}",
        "frame_number": number,
        "timestamp_s": float(number),
        "model_digest": "a" * 64,
        "policy": "top-share",
        "policy_version": "1",
        "strategy": "superpixel",
        "scores": [{"name": "entropy", "value": float(rng.random()), "unit": "nats"}],
        "image": {"height": frame[0], "width": frame[1]},
        "image_hash": f"{int(rng.integers(0, 2**63)):016x}",
        "regions": regions,
        "blobs": [blob("image", picture)],
    }
    return {**plain, **changes}


class Uploads:
    """A folder as ``edgeseg upload`` leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, content: bytes) -> None:
        """Writes one object.

        Raises:
            ValueError: The key would leave the folder, as a malicious record's may.
        """
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ValueError(f"{key!r} leaves {self.folder}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def add(self, number: int, moment: datetime | None = None, picture: bytes | None = None, **changes: Any) -> Plain:
        """Puts an item: image, record, arrival; gives the record's plain form, which ``changes`` may make a bad one.

        The image lies under the key that follows from its digest, whatever the record says.
        """
        content = png(seed=number) if picture is None else picture
        plain = plain_record(number, content, **changes)
        self.put(blob("image", content)["key"], content)
        self.announce(plain, moment or START + timedelta(seconds=number))
        return plain

    def add_with_maps(self, number: int, frame: tuple[int, int] = (48, 64), **changes: Any) -> Plain:
        """Puts an item with all its pictures, as ``add`` does.

        The class map is 0 to the left and 3 to the right, with a corner that the model did not see; the entropy rises
        from left to right.
        """
        classes = np.zeros(frame, np.uint8)
        classes[:, frame[1] // 2 :], classes[:8, :8] = 3, 255
        entropy = np.tile(np.linspace(0, 255, frame[1]).astype(np.uint8), (frame[0], 1))
        maps = {"classes": cv2.imencode(".png", classes)[1], "entropy": cv2.imencode(".png", entropy)[1]}
        files = {"image": png(*frame, seed=number), **{kind: content.tobytes() for kind, content in maps.items()}}
        for content in files.values():
            self.put(blob("image", content)["key"], content)
        blobs = [blob(kind, content) for kind, content in files.items()]
        return self.add(number, picture=files["image"], **{"frame": frame, "blobs": blobs, **changes})

    def announce(self, plain: Plain, moment: datetime) -> None:
        self.put(record_key(plain["vehicle"], plain["item_id"]), json.dumps(plain).encode())
        self.put(arrival_key(plain["vehicle"], plain["item_id"], moment), b"")
