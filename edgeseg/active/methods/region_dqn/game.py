"""The game that the policy learns from: labeling frames whose labels are known, with a real network to train."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgeseg.active.methods.region_dqn.memory import Observation
from edgeseg.active.methods.region_dqn.pools import draw_pools
from edgeseg.active.methods.region_dqn.reward import Rewards
from edgeseg.active.methods.region_dqn.segmenter import GameFrames, Segmenter
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.active.methods.region_dqn.sight import observe
from edgeseg.active.methods.region_dqn.vectors import cell_map, class_shares, region_vectors
from edgeseg.classes import IGNORE_INDEX
from edgeseg.errors import ConfigError


class SegmentationGame:
    """A game whose reward is the network's gain in mIoU.

    Args:
        segmenter: Goes back to its start in each episode.
        known: Frames whose regions count as labeled from the beginning: the segmenter's start was trained on them.
        asked: D_T, frames whose regions are labeled in the game.
        state_images: D_S (S', 3, h, w), frames whose predictions are the state.
        rewarding: D_R, frames on which mIoU is measured.
        num_classes: C.
        settings: See there.
        seed: Of pools and batches.

    Raises:
        ConfigError: D_T has too few regions for an episode.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        known: GameFrames,
        asked: GameFrames,
        state_images: Tensor,
        rewarding: GameFrames,
        num_classes: int,
        settings: RalisSettings,
        seed: int,
    ) -> None:
        self.segmenter, self.asked, self.state_images, self.rewarding = segmenter, asked, state_images, rewarding
        self.num_classes, self.settings = num_classes, settings
        self._rng, self._chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self._cells = cell_map(asked.images.shape[2:], settings.rows, settings.columns)
        self._known_shares, self._asked_shares = self._true_shares(known), self._true_shares(asked)
        self._labeled = np.zeros(len(self._asked_shares), bool)
        self._pools = np.zeros((0, 0), np.intp)
        self._rewards: Rewards | None = None
        self._taken = 0
        require_regions(len(self._labeled), settings)

    def reset(self) -> Observation:
        """See ``LabelingGame.reset``; mIoU before the first step is measured."""
        self.segmenter.restart()
        self._labeled[:], self._taken = False, 0
        self._rewards = Rewards(lambda: self.segmenter.miou(self.rewarding, self.num_classes))
        return self._observe()

    def step(self, actions: Tensor) -> tuple[Observation | None, float]:
        """See ``LabelingGame.step``."""
        assert self._rewards is not None
        chosen = self._pools[np.arange(len(self._pools)), actions.numpy()]
        self._labeled[chosen] = True
        self.segmenter.train(self._only(chosen), self._chance)
        self._taken += 1
        reward = self._rewards.step()
        return (self._observe() if self._taken < self.settings.steps else None), reward

    def _observe(self) -> Observation:
        vectors = self._vectors(self.asked.images)
        self._pools = draw_pools(
            np.flatnonzero(~self._labeled), self.settings.labeled_at_once, self.settings.pool_size, self._rng
        )
        labeled = torch.cat((self._known_shares, self._asked_shares[torch.from_numpy(self._labeled)]))
        return observe(self._vectors(self.state_images), vectors, self._pools, labeled, self.num_classes)

    def _vectors(self, images: Tensor) -> Tensor:
        seen = zip(*self.segmenter.predict(images), strict=True)
        rows, columns = self.settings.rows, self.settings.columns
        return torch.cat([region_vectors(m, entropy, rows, columns, self.num_classes) for m, entropy in seen])

    def _true_shares(self, frames: GameFrames) -> Tensor:
        return torch.cat([class_shares(label, self._cells, self.num_classes) for label in frames.labels.numpy()])

    def _only(self, regions: np.ndarray) -> GameFrames:
        """The frames of some regions, with labels there alone; two frames at least, as batch norm wants it."""
        of_frame, cells = regions // (self._cells.max() + 1), torch.from_numpy(self._cells)
        frames = np.unique(of_frame)
        labels = []
        for frame in frames.tolist():
            inside = torch.isin(cells, torch.from_numpy(regions[of_frame == frame] % (self._cells.max() + 1)))
            labels.append(self.asked.labels[frame].masked_fill(~inside, IGNORE_INDEX))
        twice = slice(None) if len(frames) > 1 else [0, 0]
        return GameFrames(self.asked.images[torch.from_numpy(frames)][twice], torch.stack(labels)[twice])


def require_regions(regions: int, settings: RalisSettings) -> None:
    """Raises ``ConfigError`` where there are fewer regions than an episode labels and offers."""
    per_step = settings.labeled_at_once
    wanted = per_step * (settings.pool_size + settings.steps - 1)
    if regions < wanted:
        raise ConfigError(
            f"method ralis: its policy is trained on {regions} regions of the frames labeled at the start, but an "
            f"episode needs {wanted}; raise initial, or lower ralis's labeled_at_once ({per_step}), pool_size "
            f"({settings.pool_size}) or steps ({settings.steps})"
        )
