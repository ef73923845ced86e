"""Options under which methods that train networks of their own do so within a second or two."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, dict[str, Any]] = {
    "ralis": {
        "labeled_at_once": 4,
        "pool_size": 3,
        "steps": 2,
        "episodes": 1,
        "state_frames": 2,
        "start_passes": 1,
        "batch_size": 4,
    },
    "vaal": {"iterations": 2, "batch_size": 2, "log_every": 2},
}
