"""What was tried and what came of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Observation:
    """What the policy sees before it chooses.

    Attributes:
        state: (S, V) float32 vectors of the state's regions.
        candidates: (K, N, V + 64) float32 of K pools of N regions.
    """

    state: Tensor
    candidates: Tensor


@dataclass(frozen=True)
class Transition:
    """One pool's choice.

    Attributes:
        state: (S, V).
        candidates: (N, V + 64) of the pool.
        action: Which of the N was labeled.
        reward: Of the step, the same for its K pools.
        next_state: (S, V), None where the episode ended.
        next_candidates: (N, V + 64) of the pool of the same number in the next step, None where the episode ended.
    """

    state: Tensor
    candidates: Tensor
    action: int
    reward: float
    next_state: Tensor | None
    next_candidates: Tensor | None


def transitions(before: Observation, actions: Tensor, reward: float, after: Observation | None) -> list[Transition]:
    """The K transitions of a step with actions (K,)."""
    return [
        Transition(
            before.state,
            before.candidates[k],
            int(action),
            reward,
            None if after is None else after.state,
            None if after is None else after.candidates[k],
        )
        for k, action in enumerate(actions)
    ]


class Memory:
    """The last transitions, of which batches are drawn; a new one takes the place of the oldest.

    Args:
        capacity: Transitions.
    """

    def __init__(self, capacity: int) -> None:
        self._held: deque[Transition] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, transitions: list[Transition]) -> None:
        """Remembers transitions."""
        self._held.extend(transitions)

    def draw(self, number: int, chance: torch.Generator) -> list[Transition]:
        """Draws transitions uniformly, none twice."""
        return [self._held[i] for i in torch.randperm(len(self._held), generator=chance)[:number].tolist()]
