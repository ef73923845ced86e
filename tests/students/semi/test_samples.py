"""Unlabeled samples: one geometry for teacher and student, strong changes for the student alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg import datasets
from edgeseg.preprocess import Preprocess
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.groups import AugmentSettings
from edgeseg.students.semi.donors import Donors
from edgeseg.students.semi.samples import UnlabeledSamples
from edgeseg.students.semi.tail import pixels_by_frame
from edgeseg.students.semi.unlabeled import UnlabeledBatch, UnlabeledKey, join_unlabeled

GEOMETRY = AugmentSettings(scale=(0.6, 1.6), flip=0.5, brightness=0, contrast=0, saturation=0)


def _samples(
    camvid: str,
    settings: AugmentSettings = GEOMETRY,
    mix: bool = False,
    soft: bool = False,
    known: Callable[[int], torch.Tensor | None] | None = None,
) -> UnlabeledSamples:
    frames = DecodedFrames(datasets.open(f"{camvid}#train"), 10, labels=False)
    preprocess = Preprocess(32, 48)
    donors = None
    if mix:
        labeled = DecodedFrames(datasets.open(f"{camvid}#val"), 10)
        donors = Donors(labeled, preprocess, settings, pixels_by_frame(labeled.label_maps(), 11), (2, 3), 2, 1)
    return UnlabeledSamples(frames, preprocess, settings, 0, donors, _one_hot if soft else None, known)


def _one_hot(
    sample_id: str, top: int, left: int, height: int, width: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    probs = np.zeros((11, *size), np.float32)
    probs[4] = 1
    return probs


def _all(samples: UnlabeledSamples) -> list[UnlabeledBatch]:
    return [samples.draw(UnlabeledKey(position, position % 7)) for position in range(14)]


def test_student_sees_what_the_teacher_sees_mirrored_or_not(camvid: str) -> None:
    found = _all(_samples(camvid))
    for batch in found:
        mirrored = batch.teacher_images.flip(3) if batch.flips[0] else batch.teacher_images
        assert torch.equal(batch.student_images, mirrored)
    assert {bool(batch.flips[0]) for batch in found} == {True, False}


def test_colours_change_for_the_student_alone(camvid: str) -> None:
    strong = AugmentSettings(scale=(0.6, 1.6), flip=0.5, brightness=0.5)
    for plain, changed in zip(_all(_samples(camvid)), _all(_samples(camvid, strong)), strict=True):
        assert torch.equal(plain.teacher_images, changed.teacher_images)
        assert not torch.equal(plain.student_images, changed.student_images)


def test_inside_is_where_the_frame_is(camvid: str) -> None:
    for batch in _all(_samples(camvid)):
        padding = (batch.student_images == 0).all(1)
        assert torch.equal(batch.inside, ~padding)


def test_equal_keys_give_equal_samples_whatever_is_drawn_around_them(camvid: str) -> None:
    one, two = _samples(camvid, mix=True), _samples(camvid, mix=True)
    torch.rand(5)
    first = one.draw(UnlabeledKey(9, 3))
    two.draw(UnlabeledKey(2, 1))
    second = two.draw(UnlabeledKey(9, 3))
    assert torch.equal(first.student_images, second.student_images)
    assert torch.equal(first.pasted, second.pasted)
    assert not torch.equal(first.student_images, one.draw(UnlabeledKey(10, 3)).student_images)


def test_paste_changes_pasted_pixels_alone_and_counts_them_as_inside(camvid: str) -> None:
    for plain, mixed in zip(_all(_samples(camvid)), _all(_samples(camvid, mix=True)), strict=True):
        there = mixed.pasted != 255
        changed = (plain.student_images != mixed.student_images).any(1)
        assert there.any()
        assert not (changed & ~there).any()
        assert torch.equal(mixed.inside, plain.inside | there)
        assert torch.equal(plain.teacher_images, mixed.teacher_images)


def test_soft_labels_end_where_something_is_pasted(camvid: str) -> None:
    for batch in _all(_samples(camvid, mix=True, soft=True)):
        assert batch.soft_labels is not None
        held = batch.soft_labels.sum(1) > 0.5
        assert not held[batch.pasted != 255].any()
        assert held[(batch.pasted == 255) & batch.inside].float().mean() > 0.9  # but for the rim of the padding


def test_known_labels_are_laid_out_like_the_student_s_image(camvid: str) -> None:
    left = torch.full((32, 48), 255, dtype=torch.uint8)
    left[:, :24] = 3
    still = AugmentSettings(scale=(1.0, 1.0), flip=0.5, brightness=0, contrast=0, saturation=0)
    for batch in _all(_samples(camvid, still, known=lambda frame: left if frame % 2 else None)):
        expected = left.flip(1) if batch.flips[0] else left
        shown = expected if batch.positions[0] % 7 % 2 else torch.full_like(left, 255)
        assert torch.equal(batch.known[0], shown)


def test_padding_is_not_known(camvid: str) -> None:
    for batch in _all(_samples(camvid, known=lambda frame: torch.full((32, 48), 3, dtype=torch.uint8))):
        assert torch.equal(batch.known == 3, batch.inside)


def test_joined_batches_keep_their_order(camvid: str) -> None:
    parts = _all(_samples(camvid, soft=True))[:3]
    joined = join_unlabeled(parts)
    assert joined is not None and joined.soft_labels is not None
    assert joined.positions == (0, 1, 2)
    assert torch.equal(joined.student_images[1], parts[1].student_images[0])
    assert joined.soft_labels.shape == (3, 11, 32, 48)
    assert join_unlabeled([]) is None
