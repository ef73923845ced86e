"""Items: their ids, what their records say, and what cannot become one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.device.items import Provenance, describe, encode_blobs, item_id
from edgeseg.device.regions import choose, decode_rle
from edgeseg.device.strategies import FrameScore, StrategyOptions, build
from edgeseg.device.view import FrameView
from edgeseg.errors import DataError, ModelError
from edgeseg.frames import Frame
from edgeseg.records import read_record

ORIGIN = Provenance("car-7", "2026-05-01.a", "d" * 64, "all", "1", "superpixel")


@pytest.fixture
def frame(scene: Callable[[int], NDArray[np.uint8]]) -> Frame:
    return Frame(scene(40), "f12", 12, None, "drive")


def _scored(frame: Frame, runner: Any) -> tuple[FrameView, FrameScore, NDArray[np.intp]]:
    view = FrameView(frame, runner.infer(frame.image), runner.info, 300)
    score = build("superpixel", StrategyOptions()).score(view)
    return view, score, choose(score.labels, score.region_values, 0.1)


def test_id_follows_frame_pixels_and_model(frame: Frame) -> None:
    other = frame.image.copy()
    other[0, 0, 0] ^= 1
    ids = {
        item_id(frame, "d" * 64),
        item_id(replace(frame, id="f13"), "d" * 64),
        item_id(replace(frame, image=other), "d" * 64),
        item_id(frame, "e" * 64),
    }
    assert len(ids) == 4
    assert item_id(replace(frame, source="moved/drive"), "d" * 64) == item_id(frame, "d" * 64)


def test_record_says_what_was_chosen(frame: Frame, runner: Any) -> None:
    view, score, chosen = _scored(frame, runner)
    blobs = encode_blobs(view, view.frame.image)
    record = describe(view, score, chosen, blobs, ORIGIN)
    assert read_record(record.to_json(), "again") == record
    assert (record.vehicle, record.drive, record.frame_id, record.frame_number) == ("car-7", "2026-05-01.a", "f12", 12)
    assert (record.captured_at, record.clock, record.timestamp_s) == (None, "unknown", None)
    assert [region.score for region in record.regions] == score.region_values[chosen].tolist()
    for region, chosen_id in zip(record.regions, chosen, strict=True):
        mask = decode_rle(region.rle.counts, *region.rle.size)
        assert np.array_equal(mask, score.labels == chosen_id)
        assert region.area_px == mask.sum()
        assert region.class_id == np.bincount(view.class_map[mask]).argmax()
        assert region.class_name == runner.info.class_map.names[region.class_id]
    assert {blob.kind: blob.bytes for blob in record.blobs} == {kind: len(data) for kind, data in blobs.items()}


def test_blobs_are_the_frame_and_its_maps(frame: Frame, runner: Any) -> None:
    view, _, _ = _scored(frame, runner)
    decoded = {
        k: cv2.imdecode(np.frombuffer(v, np.uint8), cv2.IMREAD_UNCHANGED)
        for k, v in encode_blobs(view, view.frame.image).items()
    }
    assert np.array_equal(decoded["image"][:, :, ::-1], frame.image)
    assert np.array_equal(decoded["entropy"], view.entropy)
    assert np.array_equal(decoded["classes"], view.class_map)


def test_maps_of_a_cropping_model_are_unseen_at_the_border(frame: Frame, make_runner: Callable[..., Any]) -> None:
    view, _, _ = _scored(frame, make_runner(60, 60, "crop"))
    assert view.class_map.shape == frame.image.shape[:2]
    assert (view.class_map[:, :19] == 255).all()
    assert (view.class_map[:, 21:139] != 255).all()
    assert (view.entropy[:, :19] == 0).all()


@pytest.mark.parametrize(("moment", "clock"), [(1_800_000_000.0, "unverified"), (1000.0, "unset")])
def test_live_frame_tells_its_clock(frame: Frame, runner: Any, moment: float, clock: str) -> None:
    live = replace(frame, wall_time_s=moment, timestamp_s=1.5)
    view, score, chosen = _scored(live, runner)
    record = describe(view, score, chosen, encode_blobs(view, view.frame.image), ORIGIN)
    assert record.captured_at is not None
    assert record.captured_at.timestamp() == moment
    assert record.clock == clock
    assert record.timestamp_s == 1.5


def test_score_that_is_not_finite_makes_no_record(frame: Frame, runner: Any) -> None:
    view, score, chosen = _scored(frame, runner)
    with pytest.raises(DataError, match=r"frame f12: no record.*value.*finite"):
        describe(view, replace(score, value=float("nan")), chosen, encode_blobs(view, view.frame.image), ORIGIN)


def test_map_of_another_size_than_the_model_says_is_refused(frame: Frame, runner: Any) -> None:
    outputs = runner.infer(frame.image)
    outputs["entropy"] = outputs["entropy"][:30]
    with pytest.raises(ModelError, match=r"f12.*entropy is \(30, 80\).*\(60, 80\)"):
        FrameView(frame, outputs, runner.info)
