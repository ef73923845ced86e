"""Comparing a cache with its teachers, run again on some of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg import datasets, softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import CacheError, ConfigError
from edgeseg.progress import track
from edgeseg.softlabels import Agreement, SoftLabels, VerifyReport
from edgeseg.teachers.ensemble import combine
from edgeseg.teachers.makers import load_makers
from edgeseg.teachers.settings import CacheSettings
from edgeseg.teachers.teacher import Teacher


def verify_cache(path: Path | str, settings: CacheSettings, frames: int = 20, seed: int = 0) -> VerifyReport:
    """Checks every checksum, then runs the teachers again on some frames and compares.

    Class weights, mirroring and remapping are the cache's own; ``settings`` names teachers and data.

    Args:
        path: The cache.
        settings: Teachers in the cache's order, and the dataset that it was made of.
        frames: How many frames to compare, chosen at random.
        seed: Of that choice.

    Raises:
        CacheError: The folder is no cache, or was made by other teachers or of other frames.
        ConfigError, DataError, ModelError: A setting, the dataset or a teacher cannot be used.
    """
    if frames < 1:
        raise ConfigError(f"--frames must be at least 1, got {frames}")
    report = softlabels.verify(path)
    cache = softlabels.open(path)
    dataset = datasets.open(settings.data)
    teachers = load_makers(cache.info, settings)
    _require_makers(cache, teachers)
    whole = [i for i, sample_id in enumerate(dataset.sample_ids) if sample_id in cache and sample_id not in report.bad]
    if not whole:
        raise CacheError(
            f"{path}: holds no whole frame of {dataset.spec}; is it the dataset that the cache was made of?"
        )
    chosen = np.random.default_rng(seed).permutation(whole)[:frames].tolist()
    return replace(report, agreement=_compare(cache, dataset, teachers, chosen))


def _require_makers(cache: SoftLabels, teachers: Sequence[Teacher]) -> None:
    made_by = [(record.digest, record.temperature) for record in cache.info.teachers]
    if made_by != [(teacher.digest, teacher.spec.temperature) for teacher in teachers]:
        listed = ", ".join(f"{t.model}:{t.temperature:g} ({t.digest[:12]}…)" for t in cache.info.teachers)
        given = ", ".join(f"{t.spec.model}:{t.spec.temperature:g} ({t.digest[:12]}…)" for t in teachers)
        raise CacheError(f"{cache.where}: was made by {listed}, in this order, not by {given}; name its own teachers")


def _compare(cache: SoftLabels, dataset: Dataset, teachers: Sequence[Teacher], indices: Sequence[int]) -> Agreement:
    weights = torch.tensor(cache.info.class_weights)
    divergence, mirrored, agreed = [], [], []
    for index in track(indices, "comparing with the teachers"):
        image = dataset.image(index)
        cached = torch.from_numpy(cache[dataset.sample_ids[index]])
        fresh = _mix(teachers, image, weights)
        flipped = _mix(teachers, np.ascontiguousarray(image[:, ::-1]), weights).flip(-1)
        divergence.append(_divergence(fresh, cached))
        mirrored.append(_divergence(flipped, cached).mean())
        agreed.append((fresh.argmax(dim=0) == cached.argmax(dim=0)).float().mean())
    pixels = torch.cat([d.flatten() for d in divergence]).numpy()
    return Agreement(
        frames=len(indices),
        kl_nats=float(pixels.mean(dtype=np.float64)),
        kl_p99=float(np.quantile(pixels, 0.99)),
        argmax_agreement=float(torch.stack(agreed).mean()),
        flip_kl_nats=float(torch.stack(mirrored).mean()),
    )


def _mix(teachers: Sequence[Teacher], image: NDArray[np.uint8], weights: Tensor) -> Tensor:
    height, width = image.shape[:2]
    return combine([teacher.probs(image, height, width).cpu() for teacher in teachers], weights)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p ‖ q) (H, W) in nats of probabilities (C, H, W); q is above 0 as every cache decodes."""
    return (torch.xlogy(p, p) - p * q.log()).sum(dim=0)
