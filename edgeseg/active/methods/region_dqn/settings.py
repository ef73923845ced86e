"""Settings of RALIS-small."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError
from edgeseg.students.groups import require_within


@dataclass(frozen=True)
class RalisSettings:
    """The reduced setting, for a processor; the authors' for CamVid stands in brackets where it differs.

    Attributes:
        rows, columns: Regions of a frame.
        labeled_at_once: K, regions that are labeled in a step, one of each pool.
        pool_size: N, random regions of which the best is labeled (20, and 10 at the end).
        steps: Steps of an episode (20).
        episodes: Episodes that the policy is trained for (100).
        state_frames: Frames whose predictions are the state.
        reward_frames: Frames of Q on which the reward is measured, at most a fourth of Q; their labels are outside of
            the budget, and nothing is asked of them (101).
        start_frames: Frames of P that a game's network is trained on before its episodes, at most a third of P.
        start_passes: Passes of that training.
        pool_frames: Further frames of P whose labeling is played, at most (100).
        discount: γ.
        learning_rate: Of the Q-network's SGD (0.001 or 0.0001).
        batch_size: Transitions of a step of the Q-network.
        updates: Steps of the Q-network after each step of an episode.
        memory: Transitions that are remembered.
        copy_every: Steps of the Q-network between two copies to the target.
        explore_start, explore_end: ε at the beginning and its limit.
        explore_steps: Steps after which what ε exceeds its limit by has fallen to 1/e (10, by which ε is 0.17 after
            one episode and the policy learns of little but its own first guesses).
    """

    __pydantic_config__ = STRICT

    rows: int = 4
    columns: int = 6
    labeled_at_once: int = 24
    pool_size: int = 10
    steps: int = 10
    episodes: int = 20
    state_frames: int = 10
    reward_frames: int = 30
    start_frames: int = 20
    start_passes: int = 40
    pool_frames: int = 40
    discount: float = 0.999
    learning_rate: float = 1e-3
    batch_size: int = 16
    updates: int = 4
    memory: int = 600
    copy_every: int = 5
    explore_start: float = 0.9
    explore_end: float = 0.05
    explore_steps: float = 60.0

    def __post_init__(self) -> None:
        for name, least in (
            ("rows", 1),
            ("columns", 1),
            ("labeled_at_once", 1),
            ("pool_size", 2),
            ("steps", 2),
            ("episodes", 1),
            ("state_frames", 1),
            ("reward_frames", 1),
            ("start_frames", 2),
            ("start_passes", 1),
            ("pool_frames", 1),
            ("batch_size", 2),
            ("updates", 1),
            ("memory", 2),
            ("copy_every", 1),
        ):
            require_within(f"method.ralis.{name}", getattr(self, name), least, 10**6)
        require_within("method.ralis.discount", self.discount, 0, 1)
        require_within("method.ralis.learning_rate", self.learning_rate, 1e-7, 1)
        require_within("method.ralis.explore_start", self.explore_start, 0, 1)
        require_within("method.ralis.explore_end", self.explore_end, 0, 1)
        require_within("method.ralis.explore_steps", self.explore_steps, 0, 10**6, open_low=True)
        if self.memory < self.batch_size:
            raise ConfigError(
                f"method.ralis.memory is {self.memory}, fewer than batch_size ({self.batch_size}); raise it, or the "
                "Q-network would never learn"
            )
