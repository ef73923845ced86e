"""The layer at which two graphs part, found by halving the list of tensors that both compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.parity.graphs import GraphProbe, common_tensors, relative_error

READ_AT_ONCE = 8
"""Tensors read in one run; more would take more memory, fewer more runs."""


@dataclass(frozen=True)
class LayerParting:
    """The layer whose output differs though what it is fed agrees.

    Attributes:
        layer: Its node's name.
        operator: Its operator.
        error: ‖Δ‖ / ‖value‖ of its output.
        error_before: The largest such of its inputs; 0 where it is the network's first.
    """

    layer: str
    operator: str
    error: float
    error_before: float


def first_parting(a: GraphProbe, b: GraphProbe, frame: NDArray[np.uint8], limit: float) -> LayerParting | None:
    """Finds where two graphs, fed the same, part by more than ``limit``; None where they agree to the end.

    Args:
        a: The reference.
        b: What is held against it.
        frame: (H, W, 3) uint8 RGB.
        limit: Bound of ‖Δ‖ / ‖a‖ of a tensor.
    """
    names = common_tensors(a, b)
    errors: dict[str, float] = {}

    def error_of(wanted: Sequence[str]) -> None:
        unread = [name for name in wanted if name not in errors]
        if unread:
            first, second = a.read(frame, unread), b.read(frame, unread)
            errors.update((name, relative_error(first[name], second[name])) for name in unread)

    if not names:
        return None
    error_of(names[-1:])
    if errors[names[-1]] <= limit:
        return None
    found = _halve(names, errors, error_of, limit)
    return _walk_back(a, found, set(names), errors, error_of, limit)


def _halve(names: list[str], errors: dict[str, float], error_of: Callable[[Sequence[str]], None], limit: float) -> str:
    """A tensor that parts while the one listed before it agrees."""
    low, high = -1, len(names) - 1
    while high - low > 1:
        places = sorted({int(p) for p in np.linspace(low, high, READ_AT_ONCE + 2)[1:-1]} - {low, high})
        places = places or [(low + high) // 2]
        error_of([names[place] for place in places])
        parted = [place for place in places if errors[names[place]] > limit]
        high = min(parted, default=high)
        low = max((place for place in places if place < high), default=low)
    return names[high]


def _walk_back(
    graph: GraphProbe,
    name: str,
    known: set[str],
    errors: dict[str, float],
    error_of: Callable[[Sequence[str]], None],
    limit: float,
) -> LayerParting:
    """From a parted tensor up its parted inputs, since another branch may have parted earlier."""
    while True:
        node = graph.producers[name]
        fed = [source for source in node.input if source in known]
        error_of(fed)
        worst = max(fed, key=lambda source: errors[source], default=None)
        if worst is None or errors[worst] <= limit:
            return LayerParting(node.name, node.op_type, errors[name], 0.0 if worst is None else errors[worst])
        name = worst
