"""Rows of a run without what a clock told."""

from __future__ import annotations

from typing import Any

from edgeseg.active import ActiveReport

TIMES = ("select_seconds", "select_seconds_a_frame", "train_seconds")


def untimed(report: ActiveReport) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in report.to_dict()["rows"]]
