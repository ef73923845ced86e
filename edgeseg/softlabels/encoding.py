"""One frame as a shard, as coarse as the promised accuracy allows: it is measured, not assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import CacheError, ConfigError
from edgeseg.softlabels.grid import STRIDES, Grid, divergence, fit, negentropy
from edgeseg.softlabels.info import CacheInfo
from edgeseg.softlabels.layout import Layout, pack_shard
from edgeseg.softlabels.tiles import decode_tile, encode_tile

SETTINGS_NAME: Final = "coding"
_TOLERANCE: Final = 1e-3
_FIRST_STEP: Final = 0.064
_TRIES: Final = 8


@dataclass(frozen=True)
class Coding:
    """How accurately a frame is kept; ``CacheInfo.settings["coding"]`` may hold any of these.

    Attributes:
        kl_nats: Most that the mean KL(exact ‖ decoded) over a frame's pixels may be.
        agreement: Least share of a frame's pixels that keep their best class.
        stride: Label pixels a grid sample: 1, 2 or 4; 0 takes 2 where that loses next to nothing, else 1.
    """

    kl_nats: float = 2.5e-4
    agreement: float = 0.992
    stride: int = 0

    def __post_init__(self) -> None:
        if not (1e-7 <= self.kl_nats <= 1 and 0 <= self.agreement <= 0.99999 and self.stride in (0, *STRIDES)):
            raise ConfigError(
                f"coding: kl_nats must be in 1e-7 to 1, agreement in 0 to 0.99999, stride 0, 1, 2 or 4; got {self}"
            )

    @staticmethod
    def of(settings: Mapping[str, Any]) -> Coding:
        """The coding that a cache's settings ask for.

        Raises:
            ConfigError: An option is unknown or out of range.
        """
        try:
            return Coding(**settings.get(SETTINGS_NAME, {}))
        except TypeError as error:
            raise ConfigError(f"coding: {error}; options are kl_nats, agreement and stride") from None

    def as_settings(self) -> dict[str, Any]:
        """What ``of`` reads; nothing for the default, which is what caches without this setting have."""
        return {} if self == Coding() else {SETTINGS_NAME: asdict(self)}

    def allows(self, nats: float, agreed: float, share: float = 1.0) -> bool:
        """Whether a frame is accurate enough, or takes at most this share of what it may lose."""
        return nats <= share * self.kl_nats and 1 - agreed <= share * (1 - self.agreement)


@dataclass(frozen=True)
class EncodedFrame:
    """Soft labels ready to be written: what a process that may not write hands to the one that does.

    Attributes:
        shape: (C, H, W).
        stride: Label pixels a grid sample.
        shard: The bytes.
    """

    shape: tuple[int, int, int]
    stride: int
    shard: bytes

    @property
    def layout(self) -> Layout:
        """Where frames like this lie."""
        return Layout(self.shape[1], self.shape[2], self.stride)


def encode_frame(probs: NDArray[np.float32], info: CacheInfo) -> EncodedFrame:
    """Encodes one frame for a cache; a function of its arguments alone, so any process may do it.

    Args:
        probs: (C, H, W) float32, Σ over C = 1.
        info: Of the cache that it is for.

    Returns:
        Plain data that may be pickled, for ``CacheWriter.put_encoded``.

    Raises:
        CacheError: ``probs`` are no probabilities of the cache's classes.
        ConfigError: The cache's coding is out of range.
    """
    require_classes(probs.shape, info)
    require_probabilities(probs)
    probs = np.ascontiguousarray(probs, np.float32)
    coding, entropy = Coding.of(info.settings), negentropy(probs)
    layout, grid = _placed(probs, coding, entropy)
    return EncodedFrame((len(probs), *probs.shape[1:]), layout.stride, _searched(grid, probs, layout, coding, entropy))


def require_classes(shape: tuple[int, ...], info: CacheInfo) -> None:
    """Checks that probabilities have the cache's classes.

    Raises:
        CacheError: They have not.
    """
    if shape[0] != info.class_map.num_classes:
        raise CacheError(f"has {shape[0]} channels, the cache {info.class_map.num_classes} classes")


def require_probabilities(probs: NDArray[np.float32]) -> None:
    """Checks that every pixel's values are probabilities.

    Raises:
        CacheError: The array is not three-dimensional, not finite, or does not sum to 1.
    """
    if probs.ndim != 3 or 0 in probs.shape:
        raise CacheError(f"soft labels must be (C, H, W), got shape {probs.shape}")
    total = probs.sum(axis=0)
    if not (np.abs(total - 1) <= _TOLERANCE).all() or probs.min() < 0:
        raise CacheError(
            f"soft labels must be probabilities that sum to 1, got values from {probs.min():.3g} to {probs.max():.3g} "
            f"and sums from {total.min():.3g} to {total.max():.3g}; does the teacher give finite logits?"
        )


def _placed(probs: NDArray[np.float32], coding: Coding, entropy: float) -> tuple[Layout, Grid]:
    """The grid that a frame is kept on, before it is rounded."""
    height, width = probs.shape[1:]
    if coding.stride:
        return Layout(height, width, coding.stride), fit(probs, coding.stride)
    grid = fit(probs, 2)
    if coding.allows(*divergence(grid, probs, 2, entropy), share=0.3):
        return Layout(height, width, 2), grid
    return Layout(height, width, 1), fit(probs, 1)


def _searched(grid: Grid, probs: NDArray[np.float32], layout: Layout, coding: Coding, entropy: float) -> bytes:
    """The shard with about the largest step that is accurate enough.

    The loss grows about as step^1.5. Where even a fine step does not suffice, since the stride that was asked for is
    too coarse, the best that was found is kept.
    """
    step, best, fitting = _FIRST_STEP, b"", 0.0
    least = np.inf
    for _ in range(_TRIES):
        tiles, decoded = _coded(grid, layout, step)
        nats, agreed = divergence(decoded, probs, layout.stride, entropy)
        used = max(nats / coding.kl_nats, (1 - agreed) / (1 - coding.agreement))
        if used <= 1 and step > fitting:
            best, fitting = pack_shard(tiles), step
        elif not fitting:
            if used > 0.95 * least:
                break
            best, least = pack_shard(tiles), used
        if 0.9 < used <= 1 or (fitting and used > 1 and step < 1.1 * fitting):
            break
        step *= float(np.clip((0.95 / max(used, 1e-9)) ** (2 / 3), 0.3, 4.0))
    return best


def _coded(grid: Grid, layout: Layout, step: float) -> tuple[list[bytes], Grid]:
    """The tiles of a grid, row by row, and the grid that they decode to."""
    height, width = layout.tile
    down, across = layout.tiles
    padding = (down * height - grid.shape[1], across * width - grid.shape[2])
    padded = np.pad(grid, ((0, 0), (0, padding[0]), (0, padding[1])), mode="edge")
    decoded = np.empty_like(padded)
    tiles = []
    for row in range(0, padded.shape[1], height):
        for column in range(0, padded.shape[2], width):
            tile = encode_tile(np.ascontiguousarray(padded[:, row : row + height, column : column + width]), step)
            decode_tile(tile, len(grid), layout.tile, decoded, row, column)
            tiles.append(tile)
    return tiles, np.ascontiguousarray(decoded[:, : grid.shape[1], : grid.shape[2]])
