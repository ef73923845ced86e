"""Windows and damage, on a frame of several tiles."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from edgeseg import softlabels
from edgeseg.errors import CacheError
from edgeseg.softlabels import CacheInfo, CacheWriter

Draw = Callable[..., NDArray[np.float32]]
Shard = Callable[[Path, int], Path]


@pytest.fixture(params=[1, 2])
def tiled(request: pytest.FixtureRequest, tmp_path: Path, info: CacheInfo, draw_probs: Draw) -> Path:
    """One frame, 301×359, of several tiles down and across."""
    stride = request.param
    with CacheWriter(tmp_path / "tiled", replace(info, settings={"coding": {"stride": stride}})) as writer:
        writer.put("c", draw_probs(4, 301, 359, temperature=8.0))
    return tmp_path / "tiled"


@pytest.mark.parametrize(
    "window",
    [(0, 0, 301, 359), (0, 0, 1, 1), (300, 358, 1, 1), (120, 121, 20, 31), (255, 250, 12, 13), (1, 0, 300, 2)],
)
def test_window_equals_slice(tiled: Path, window: tuple[int, int, int, int]) -> None:
    top, left, height, width = window
    soft = softlabels.open(tiled)
    part = soft.window("c", *window)
    assert part.shape == (4, height, width) and part.dtype == np.float32
    np.testing.assert_allclose(part, soft["c"][:, top : top + height, left : left + width], rtol=2e-6)
    np.testing.assert_allclose(part, soft.window("c", *window, size=(height, width)), rtol=2e-6)


def test_window_may_be_resized_on_the_way(tiled: Path) -> None:
    soft = softlabels.open(tiled)
    found = soft.window("c", 40, 60, 128, 160, size=(64, 80))
    whole = torch.from_numpy(soft.window("c", 40, 60, 128, 160))
    expected = functional.interpolate(whole[None], (64, 80), mode="bilinear", align_corners=False)[0].numpy()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert np.abs(found - expected).mean() <= 0.02


WINDOWS = [(0, 0, 301, 359), (0, 0, 1, 1), (300, 358, 1, 1), (120, 121, 20, 31), (1, 0, 300, 2), (37, 45, 64, 80)]


def test_what_is_kept_is_what_is_read(tiled: Path, shard: Shard) -> None:
    read, kept = softlabels.open(tiled), softlabels.open(tiled)
    kept.keep(16)
    kept.window("c", 5, 7, 3, 4)
    expected = [read.window("c", *window, size=size) for window in WINDOWS for size in (None, (32, 40))]
    shard(tiled, 2).unlink()
    found = [kept.window("c", *window, size=size) for window in WINDOWS for size in (None, (32, 40))]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)


def test_what_does_not_fit_is_read_again(tiled: Path, shard: Shard) -> None:
    soft = softlabels.open(tiled)
    soft.keep(0.1)
    assert soft["c"].shape == (4, 301, 359)
    shard(tiled, 2).unlink()
    with pytest.raises(CacheError, match="are gone"):
        soft["c"]


def test_a_frame_that_is_written_again_is_not_the_kept_one(tiled: Path, draw_probs: Draw) -> None:
    with CacheWriter(tiled, softlabels.open(tiled).info, resume=True) as writer:
        writer._frames.keep(16)
        before = writer._frames.window("c", 0, 0, 301, 359)
        writer._frames.discard("c")
        writer.put("c", other := draw_probs(4, 301, 359, temperature=1.0))
        after = writer._frames.window("c", 0, 0, 301, 359)
    assert np.abs(after - other).mean() < 0.05 < np.abs(after - before).mean()


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 302, 359), (0, 350, 10, 11), (0, 0, 0, 5)])
def test_window_outside_is_refused(tiled: Path, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(CacheError, match=r"not inside the 301x359 soft labels of 'c'"):
        softlabels.open(tiled).window("c", *window)


def test_every_damaged_byte_is_found(tiled: Path, shard: Shard) -> None:
    path = shard(tiled, 2)
    whole = path.read_bytes()
    soft = softlabels.open(tiled)
    for position in [*range(0, 140, 7), *range(140, len(whole), len(whole) // 20), len(whole) - 1]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        assert "'c' are damaged" in softlabels.verify(tiled).bad["c"]
        with pytest.raises(CacheError, match=r"c/2/0/0/0: the soft labels of 'c' are damaged.*cache repair"):
            soft["c"]


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_truncated_frame_is_refused(tiled: Path, shard: Shard, kept: int) -> None:
    path = shard(tiled, 2)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CacheError, match=r"the soft labels of 'c' are damaged"):
        softlabels.open(tiled)["c"]
    assert "damaged" in softlabels.verify(tiled).bad["c"]


def test_frame_with_something_appended_is_found(tiled: Path, shard: Shard) -> None:
    path = shard(tiled, 2)
    path.write_bytes(path.read_bytes() + b"more")
    assert "bytes instead of" in softlabels.verify(tiled).bad["c"]


def test_frame_that_went_away_is_missing(tiled: Path, shard: Shard) -> None:
    soft = softlabels.open(tiled)
    shard(tiled, 2).unlink()
    with pytest.raises(softlabels.MissingFrameError, match="'c' are gone"):
        soft["c"]


def test_import_is_light() -> None:
    code = (
        "import sys, edgeseg.softlabels; print([m for m in ('numba', 'zarr', 'obstore', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
