"""The hash of a frame: few bits between frames that look alike, about half of them between others."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.images import difference_hash


def bits_apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def frame(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)


def test_difference_hash_is_one_bit_a_step_along_the_row() -> None:
    falling = np.repeat(np.repeat(np.arange(240, 60, -20, dtype=np.uint8)[None, :, None], 16, 0), 3, 2)
    assert difference_hash(np.ascontiguousarray(falling)) == "f" * 16
    assert difference_hash(np.ascontiguousarray(falling[:, ::-1])) == "0" * 16


def test_difference_hash_of_frames_that_look_alike() -> None:
    seen = frame(0)
    noisy = np.clip(seen.astype(int) + np.random.default_rng(1).integers(-8, 9, seen.shape), 0, 255).astype(np.uint8)
    smaller = cv2.resize(seen, (80, 60), interpolation=cv2.INTER_AREA)
    assert bits_apart(difference_hash(seen), difference_hash(noisy)) <= 4
    assert bits_apart(difference_hash(seen), difference_hash(smaller)) <= 4


def test_difference_hash_of_other_frames() -> None:
    apart = [bits_apart(difference_hash(frame(0)), difference_hash(frame(seed))) for seed in range(1, 30)]
    assert min(apart) > 12
    assert 26 < np.mean(apart) < 38
