"""Channel masks: dropout as an input, so that a deployed network can be asked several times (Monte-Carlo dropout).

Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016; whole channels as Tompson et al., "Efficient
Object Localization Using Convolutional Networks", CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

MASKS_INPUT = "dropout_masks"
"""Name of the graph's input, and of what a strategy needs for it."""


@dataclass(frozen=True)
class MaskedLayer:
    """A layer that drops channels in training.

    Attributes:
        name: Dotted name in the network.
        channels: How many it has.
        probability: With which each is dropped, in (0, 1).
    """

    name: str
    channels: int
    probability: float

    def __post_init__(self) -> None:
        if not (self.channels >= 1 and 0 < self.probability < 1):
            raise ValueError(f"layer {self.name} drops {self.channels} channels with probability {self.probability}")


@runtime_checkable
class Maskable(Protocol):
    """A runner whose model may have channel masks as an input.

    Attributes:
        mask_layers: Layers that drop channels, in the order of their channels in a mask; empty where there is no input.
    """

    mask_layers: tuple[MaskedLayer, ...]

    def infer_masked(self, frame: NDArray[np.uint8], masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """As ``Runner.infer``, with every layer's channels times their place in ``masks`` (K,) float32."""
        ...


def maskable(runner: Any) -> Maskable | None:
    """The runner, where its model takes channel masks."""
    return runner if isinstance(runner, Maskable) and runner.mask_layers else None


def mask_length(layers: Sequence[MaskedLayer]) -> int:
    """Number K of channels of all layers."""
    return sum(layer.channels for layer in layers)


def all_kept(layers: Sequence[MaskedLayer], count: int) -> NDArray[np.float32]:
    """Masks (count, K) float32 of ones: the network as it is without dropout."""
    return np.ones((count, mask_length(layers)), np.float32)


def draw_masks(layers: Sequence[MaskedLayer], count: int, seed: int) -> NDArray[np.float32]:
    """Masks as training draws them: each channel 0 with its layer's probability p, else 1 / (1 - p).

    Args:
        layers: The layers.
        count: Number T of sets.
        seed: Of the draws; the same one draws the same masks.

    Returns:
        (T, K) float32.
    """
    chances = np.repeat([layer.probability for layer in layers], [layer.channels for layer in layers])
    kept = np.random.default_rng(seed).random((count, len(chances))) >= chances
    return np.asarray(kept / (1 - chances), np.float32)
