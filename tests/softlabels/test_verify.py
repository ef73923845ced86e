from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeseg import softlabels


def test_whole_cache_is_ok(cache: Path) -> None:
    report = softlabels.verify(cache)
    assert report.ok and report.to_dict()["frames"] == 3 and report.to_dict()["bad"] == []
    assert report.to_dict()["kl_nats"] is None


def test_missing_and_damaged_frames_are_named(cache: Path, shard: Callable[[Path, int], Path]) -> None:
    shard(cache, 2).unlink()
    path = shard(cache, 1)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    report = softlabels.verify(cache)
    assert not report.ok and report.frames == 1 and set(report.bad) == {"c", "train/b"}
    assert "damaged" in report.bad["train/b"] and "no soft labels of 'c'" in report.bad["c"]
