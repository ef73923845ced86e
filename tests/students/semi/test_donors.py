"""Rare classes and what balanced ClassMix pastes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg import datasets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import ConfigError
from edgeseg.images import write_png
from edgeseg.preprocess import Preprocess
from edgeseg.students.augment import sample_randomness
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.groups import AugmentSettings
from edgeseg.students.semi.donors import Donors
from edgeseg.students.semi.tail import pixels_by_frame, tail_ids

PLAIN = AugmentSettings(scale=(1.0, 1.0), flip=0.0, brightness=0, contrast=0, saturation=0)
COMMON, RARE, RAREST = (0, 1, 3, 4), 2, 9
CLASSES = ClassMap("four", tuple(SegmentationClass(n, (i, 0, 0), (i,)) for i, n in enumerate("abcd")))


def _frames(root: Path) -> DecodedFrames:
    """Eight frames of four common classes; five show a rare one, one of these and no other the rarest."""
    for number in range(8):
        label = np.kron(np.array([[0, 1], [3, 4]]), np.ones((16, 24))).astype(np.uint8)
        label[0] = 11  # void
        if number < 5:
            label[4:10, 4:20] = RARE
        if number == 2:
            label[20:26, 4:20] = RAREST
        write_png(root / "train" / f"{number}.png", np.stack([label * 20] * 3, 2))
        write_png(root / "trainannot" / f"{number}.png", label)
    return DecodedFrames(datasets.open(f"camvid:{root}#train"), 10)


def _donors(frames: DecodedFrames, settings: AugmentSettings = PLAIN, tail: int = 2, head: int = 3) -> Donors:
    pixels = pixels_by_frame(frames.label_maps(), 11)
    return Donors(frames, Preprocess(32, 48), settings, pixels, (RARE, RAREST), tail, head)


def _draws(donors: Donors, count: int) -> list[tuple[torch.Tensor, set[int]]]:
    found = []
    for number in range(count):
        with sample_randomness(number):
            image, label = donors.draw()
        found.append((image, set(label.unique().tolist())))
    return found


def test_mix_holds_rare_classes_and_so_many_others(tmp_path: Path) -> None:
    for _, classes in _draws(_donors(_frames(tmp_path)), 40):
        assert classes & {RARE, RAREST}
        assert len(classes & set(COMMON)) == 3
        assert classes <= {*COMMON, RARE, RAREST, 255}


def test_rarest_class_is_pasted_as_often_as_the_others_ask_for(tmp_path: Path) -> None:
    counts = Counter(c for _, classes in _draws(_donors(_frames(tmp_path), tail=1), 200) for c in classes)
    assert counts[RARE] + counts[RAREST] == 200
    assert 0.4 < counts[RAREST] / 200 < 0.6  # in one of eight frames, yet half of the draws


def test_void_is_never_pasted(tmp_path: Path) -> None:
    frames = _frames(tmp_path)
    with sample_randomness(0):
        _, label = _donors(frames, head=255).draw()
    assert (label[0] == 255).all() and (label[1:] != 255).all()


def test_pasted_pixels_are_those_of_the_frame(tmp_path: Path) -> None:
    frames = _frames(tmp_path)
    with sample_randomness(3):
        image, label = _donors(frames).draw()
    pasted = label != 255
    expected = label.float() * 20 / 255
    torch.testing.assert_close(image[:, pasted], expected[pasted].expand(3, -1), atol=1e-5, rtol=0)


def test_views_are_drawn_again_until_the_rare_class_is_seen(tmp_path: Path) -> None:
    zoomed = AugmentSettings(scale=(2.0, 2.0), flip=0.0)
    seen = [bool(classes & {RARE, RAREST}) for _, classes in _draws(_donors(_frames(tmp_path), zoomed), 60)]
    assert np.mean(seen) > 0.8


def test_tail_is_the_rarer_half_of_the_classes_with_pixels() -> None:
    pixels = np.array([[50, 0, 3, 7], [50, 0, 3, 0]])
    assert tail_ids((), CLASSES, pixels) == (2,)
    assert tail_ids((), CLASSES, pixels + np.array([0, 1, 0, 0])) == (1, 2)


def test_tail_by_name_is_in_the_order_of_the_train_ids() -> None:
    assert tail_ids(("d", "a"), CLASSES, np.ones((1, 4), np.int64)) == (0, 3)


def test_unknown_tail_class_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"semi\.tail_classes: x is no class of four; its classes: a, b, c, d"):
        tail_ids(("a", "x"), CLASSES, np.ones((1, 4), np.int64))


def test_tail_that_no_label_shows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no label shows a rare class \(b\); name others"):
        tail_ids(("b",), CLASSES, np.array([[5, 0, 5, 5]]))


def test_tail_of_the_real_data_is_that_of_the_field(test_data: Path) -> None:
    dataset = datasets.open(f"camvid:{test_data}/data/camvid#train@1/8")
    pixels = pixels_by_frame(map(dataset.label, range(len(dataset))), 11)
    names = {dataset.class_map.names[i] for i in tail_ids((), dataset.class_map, pixels)}
    assert names == {"pole", "sign", "fence", "pedestrian", "bicyclist"}
