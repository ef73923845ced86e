"""Items for a spool that no camera saw: as little as a record may say, and whatever bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from edgeseg.records import Record


def plain_item(number: int, blobs: Mapping[str, bytes], **changes: Any) -> Record:
    """The record of item ``number``.

    Args:
        number: Items of different numbers are different.
        blobs: Its files by kind.
        changes: Fields that are to say something else.
    """
    digests = {kind: hashlib.sha256(content).hexdigest() for kind, content in blobs.items()}
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    plain = {
        "item_id": digest,
        "vehicle": "v",
        "drive": "d",
        "captured_at": None,
        "clock": "unknown",
        "source": "benchmark",
        "frame_id": f"f{number}",
        "frame_number": number,
        "timestamp_s": None,
        "model_digest": digest,
        "policy": "all",
        "policy_version": "1",
        "strategy": "random",
        "scores": [{"name": "number", "value": number, "unit": ""}],
        "image": {"height": 4, "width": 5},
        "regions": [],
        "blobs": [
            {"kind": kind, "key": f"sha256/{d[:2]}/{d}.png", "digest": d, "bytes": len(blobs[kind])}
            for kind, d in digests.items()
        ],
    }
    return Record.model_validate({**plain, **changes})
