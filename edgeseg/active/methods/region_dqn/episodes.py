"""The policy's training: labeling is played again and again where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from edgeseg.active.methods.region_dqn.exploration import exploration
from edgeseg.active.methods.region_dqn.memory import Memory, Observation, transitions
from edgeseg.active.methods.region_dqn.q_learning import QLearner
from edgeseg.active.methods.region_dqn.query_network import QueryNetwork
from edgeseg.active.methods.region_dqn.settings import RalisSettings


class LabelingGame(Protocol):
    """What is played."""

    def reset(self) -> Observation:
        """Starts an episode: no label, and the network that an episode starts from."""
        ...

    def step(self, actions: Tensor) -> tuple[Observation | None, float]:
        """Labels one region of each pool, trains on these, and pays.

        Args:
            actions: (K,) which of each pool's N regions is labeled.

        Returns:
            What is seen next, None where the episode ended, and the reward.
        """
        ...


@dataclass(frozen=True)
class EpisodeFigures:
    """How an episode went.

    Attributes:
        episode: Counted from 1.
        gain: Sum of the rewards: points of mIoU from beginning to end.
        exploration: ε of its last step.
        q_low, q_high: Smallest and largest value of a candidate, NaN where every step explored.
        q_loss: Mean loss of the Q-network, NaN where there was too little to learn from.
    """

    episode: int
    gain: float
    exploration: float
    q_low: float
    q_high: float
    q_loss: float


def train_policy(
    game: LabelingGame,
    network: QueryNetwork,
    settings: RalisSettings,
    seed: int,
    tell: Callable[[EpisodeFigures], None] = lambda figures: None,
) -> None:
    """Trains a Q-network in place, by episodes of ε-greedy labeling.

    Args:
        game: What is played.
        network: Left in evaluation mode.
        settings: See there.
        seed: Of exploration and batches.
        tell: Given each episode's figures.
    """
    chance = torch.Generator().manual_seed(seed)
    learner, memory = QLearner(network, settings, chance), Memory(settings.memory)
    taken = 0
    for episode in range(1, settings.episodes + 1):
        seen: Observation | None = game.reset()
        gain, values, losses, rate = 0.0, torch.zeros(0), list[float](), 0.0
        while seen is not None:
            rate = exploration(taken, settings)
            actions, found = choose(network, seen, rate, chance)
            after, reward = game.step(actions)
            memory.add(transitions(seen, actions, reward, after))
            losses += [loss for _ in range(settings.updates) if (loss := learner.learn(memory)) is not None]
            gain, values, seen, taken = gain + reward, torch.cat((values, found)), after, taken + 1
        tell(_figures(episode, gain, rate, values, losses))


def choose(network: QueryNetwork, seen: Observation, rate: float, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Chooses a region of each pool: all at random with probability ``rate``, else each pool's best.

    Returns:
        (K,) actions; and the values that they were chosen by, flat, none where chance chose.
    """
    pools, size, _ = seen.candidates.shape
    if float(torch.rand((), generator=chance)) < rate:
        return torch.randint(size, (pools,), generator=chance), torch.zeros(0)
    values = q_values(network, seen)
    return values.argmax(1), values.flatten()


@torch.no_grad()
def q_values(network: QueryNetwork, seen: Observation) -> Tensor:
    """Values (K, N) of all candidates, in evaluation mode: a value does not depend on what else is valued with it."""
    network.eval()
    values: Tensor = network(seen.state.expand(len(seen.candidates), -1, -1), seen.candidates)
    return values


def _figures(episode: int, gain: float, rate: float, values: Tensor, losses: list[float]) -> EpisodeFigures:
    low, high = (float(values.min()), float(values.max())) if len(values) else (float("nan"),) * 2
    return EpisodeFigures(episode, gain, rate, low, high, sum(losses) / len(losses) if losses else float("nan"))
