from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg import datasets, softlabels
from edgeseg.errors import ConfigError
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.losses import count_classes, enet_weights, median_frequency_weights
from edgeseg.students.weighting import class_weights


@pytest.fixture
def frames(camvid: str) -> DecodedFrames:
    return DecodedFrames(datasets.open(f"{camvid}#train"), 10)


def _cache(folder: Path, frames: DecodedFrames, gate: dict[str, object]) -> Path:
    dataset = frames.dataset
    info = softlabels.CacheInfo(dataset.class_map, (), dataset.sample_ids, dataset.digest())
    with softlabels.CacheWriter(folder, info) as writer:
        for sample_id in dataset.sample_ids:
            writer.put(sample_id, np.full((11, 32, 48), 1 / 11, np.float32))
        writer.finish(gate)
    return folder


def test_weights_from_labels_are_those_of_their_formula(frames: DecodedFrames) -> None:
    counts = count_classes(frames.label_maps(), 11)
    assert class_weights("enet", frames).tolist() == enet_weights(counts).tolist()
    assert class_weights("median", frames).tolist() == median_frequency_weights(counts).tolist()


def test_reliability_is_the_ensemble_s_iou_and_its_mean_where_unknown(frames: DecodedFrames, tmp_path: Path) -> None:
    names = frames.dataset.class_map.names
    iou = {name: None if number == 4 else 0.05 * number for number, name in enumerate(names)}
    cache = _cache(tmp_path / "cache", frames, {"ensemble": {"iou": iou}})
    known = [0.05 * number for number in range(11) if number != 4]
    expected = [sum(known) / 10 if number == 4 else 0.05 * number for number in range(11)]
    assert class_weights("reliability", frames, cache).tolist() == pytest.approx(expected)


def test_reliability_of_a_cache_without_labels_is_refused(frames: DecodedFrames, tmp_path: Path) -> None:
    cache = _cache(tmp_path / "cache", frames, {})
    with pytest.raises(ConfigError, match=r"weighting reliability: .*cache knows no IoU of its ensemble.*use enet"):
        class_weights("reliability", frames, cache)


def test_unknown_weighting_is_named(frames: DecodedFrames) -> None:
    with pytest.raises(ConfigError, match="weighting must be one of enet, median, reliability, got 'equal'"):
        class_weights("equal", frames)
