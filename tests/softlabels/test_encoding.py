from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import datasets, softlabels
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import CacheError, ConfigError
from edgeseg.softlabels import CacheInfo, CacheWriter, Coding, encode_frame

Draw = Callable[..., NDArray[np.float32]]


def make_info(classes: int, **coding: float) -> CacheInfo:
    class_map = ClassMap("n", tuple(SegmentationClass(f"c{k}", (k, k, k), (k,)) for k in range(classes)))
    return CacheInfo(class_map, (), ("a",), "d" * 64, {"coding": coding} if coding else {})


def decoded(probs: NDArray[np.float32], folder: Path, **coding: float) -> NDArray[np.float32]:
    with CacheWriter(folder, make_info(len(probs), **coding)) as writer:
        writer.put("a", probs)
    return softlabels.open(folder)["a"]


def divergence(p: NDArray[np.float32], q: NDArray[np.float32]) -> NDArray[np.float64]:
    p, q = p.astype(np.float64), q.astype(np.float64)
    return np.where(p > 0, p * (np.log(np.maximum(p, 1e-300)) - np.log(q)), 0).sum(axis=0)


@pytest.mark.parametrize("classes", [2, 11, 19])
@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_coding_stays_within_its_promise(draw_probs: Draw, tmp_path: Path, classes: int, temperature: float) -> None:
    probs = draw_probs(classes, 120, 160, seed=classes, temperature=temperature)
    found = decoded(probs, tmp_path / "c")
    assert divergence(probs, found).mean() <= 2.6e-4
    assert (found.argmax(axis=0) == probs.argmax(axis=0)).mean() >= 0.9915
    assert found.dtype == np.float32 and found.shape == probs.shape and found.min() > 0
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


def test_finer_coding_is_kept_too(draw_probs: Draw, tmp_path: Path) -> None:
    probs = draw_probs(5, 64, 64)
    found = decoded(probs, tmp_path / "c", kl_nats=1e-5, agreement=0.999)
    assert divergence(probs, found).mean() <= 1.1e-5 and (found.argmax(0) == probs.argmax(0)).mean() >= 0.9985


def test_noise_without_any_structure_is_kept(tmp_path: Path) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(6), (50, 70)).transpose(2, 0, 1).astype(np.float32)
    assert divergence(probs, decoded(probs, tmp_path / "c")).mean() <= 2.6e-4
    assert next((tmp_path / "c" / "frames").glob("50x70/stride1/c/0/0/0/0"))


@pytest.mark.parametrize("value", [1.0, 1 / 6])
def test_constant_frames_take_next_to_nothing(tmp_path: Path, value: float) -> None:
    probs = np.full((6, 40, 40), (1 - value) / 5, np.float32)
    probs[2] = value
    found = decoded(probs, tmp_path / "c")
    assert divergence(probs, found).mean() <= 2.6e-4
    if value == 1:
        assert (found.argmax(axis=0) == 2).all()
    assert softlabels.open(tmp_path / "c").info.bytes < 600


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 3), (33, 65)])
def test_odd_sizes(draw_probs: Draw, tmp_path: Path, size: tuple[int, int]) -> None:
    probs = draw_probs(3, *size, temperature=8.0)
    found = decoded(probs, tmp_path / "c")
    assert found.shape == probs.shape and divergence(probs, found).mean() <= 2.6e-4


def test_stride_may_be_chosen(draw_probs: Draw, tmp_path: Path) -> None:
    probs = draw_probs(4, 64, 64, temperature=20.0)
    assert encode_frame(probs, make_info(4, stride=1)).stride == 1
    coarse = encode_frame(probs, make_info(4, stride=4))
    assert coarse.stride == 4 and len(coarse.shard) < len(encode_frame(probs, make_info(4, stride=1)).shard)


def test_equal_frames_give_equal_bytes(draw_probs: Draw) -> None:
    probs, info = draw_probs(7, 90, 90), make_info(7)
    first = encode_frame(probs, info)
    again = pickle.loads(pickle.dumps(encode_frame(probs.copy(), pickle.loads(pickle.dumps(info)))))
    assert hashlib.sha256(first.shard).digest() == hashlib.sha256(again.shard).digest()


@pytest.mark.parametrize(
    ("probs", "what"),
    [
        (np.full((2, 4, 4), np.nan, np.float32), "sum to 1"),
        (np.full((2, 4, 4), 0.4, np.float32), "sums from 0.8"),
        (np.stack([np.full((4, 4), 1.5), np.full((4, 4), -0.5)]).astype(np.float32), "values from -0.5"),
        (np.ones((2, 4), np.float32), r"must be \(C, H, W\)"),
    ],
)
def test_what_is_no_probability_is_refused(probs: NDArray[np.float32], what: str) -> None:
    with pytest.raises(CacheError, match=what):
        encode_frame(probs, make_info(2))


@pytest.mark.parametrize(
    ("coding", "what"),
    [({"kl_nats": 0.0}, "kl_nats must be in"), ({"stride": 3}, "stride 0, 1, 2 or 4"), ({"bits": 8}, "options are")],
)
def test_coding_out_of_range_is_refused(coding: dict[str, float], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Coding.of({"coding": coding})


def test_promise_on_a_real_frame(test_data: Path, tmp_path: Path) -> None:
    """Soft labels of a real scene: its labels, softened by a blur at half size as a network's logits are."""
    import cv2

    dataset = datasets.open(f"cityscapes:{test_data / 'data' / 'cityscapes'}#val")
    label = cv2.resize(dataset.label(0)[:512, :1024], (512, 256), interpolation=cv2.INTER_NEAREST)
    logits = np.stack([cv2.GaussianBlur((label == k) * np.float32(12), (0, 0), 2) for k in range(19)]) / 4
    logits = np.stack([cv2.resize(plane, (1024, 512), interpolation=cv2.INTER_LINEAR) for plane in logits])
    probs = np.exp(logits) / np.exp(logits).sum(axis=0)
    found = decoded(probs, tmp_path / "c")
    assert divergence(probs, found).mean() <= 2.6e-4
    assert (probs.argmax(axis=0) == found.argmax(axis=0)).mean() >= 0.99
    assert softlabels.open(tmp_path / "c").info.bytes <= 0.8e6 / 4


def test_replaced_classes_do_not_fit(draw_probs: Draw) -> None:
    info = make_info(4)
    with pytest.raises(CacheError, match="has 3 channels, the cache 4 classes"):
        encode_frame(draw_probs(3, 8, 8), replace(info))
