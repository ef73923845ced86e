"""The regions of Q as the policy sees them in one round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import Round
from edgeseg.active.methods.region_dqn.memory import Observation
from edgeseg.active.methods.region_dqn.policy import KnownFrames
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.active.methods.region_dqn.sight import observe
from edgeseg.active.methods.region_dqn.vectors import cell_map, class_shares, region_vectors
from edgeseg.active.methods.unmasked import whole_view
from edgeseg.device.partition import components
from edgeseg.device.regions import outlines


@dataclass(frozen=True)
class Candidates:
    """All regions but those of D_R, frame after frame and row by row.

    Attributes:
        frames: (F,) index in the pool of each frame.
        vectors: (F · regions, V).
        free: (F · regions,) bool, without a label; changed as regions are chosen.
        state: (S, V) vectors of the state's regions.
        labeled: (L, C + 1) true class shares of all regions with labels, those of P included.
        num_classes: C.
    """

    frames: tuple[int, ...]
    vectors: Tensor
    free: NDArray[np.bool_]
    state: Tensor
    labeled: Tensor
    num_classes: int

    def see(self, pools: NDArray[np.intp]) -> Observation:
        """What the policy sees of some pools (K, N)."""
        return observe(self.state, self.vectors, pools, self.labeled, self.num_classes)


def candidates(round: Round, known: KnownFrames, settings: RalisSettings) -> Candidates:
    """Looks at every frame of Q but those of D_R once."""
    frames = tuple(i for i in range(len(round.pool)) if i not in known.reward)
    vectors = {i: _vectors(round, i, settings) for i in frames}
    free = [~_asked_cells(round, i, settings) for i in frames]
    state = torch.cat([vectors[i] for i in known.state])
    return Candidates(
        frames,
        torch.cat(list(vectors.values())),
        np.concatenate(free),
        state,
        _labeled_shares(round, settings),
        round.pool.class_map.num_classes,
    )


def cell_choice(round: Round, frame: int, cell: int, value: float, settings: RalisSettings) -> Choice:
    """One region as a choice; its clicks are those of outlining what the model sees in it."""
    view = round.view(frame)
    inside = cell_map(view.class_map.shape, settings.rows, settings.columns) == cell
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    seen = view.class_map[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    segments = components(np.ascontiguousarray(seen), max(seen.shape))
    found = outlines(segments, np.arange(segments.max() + 1, dtype=np.intp))
    return Choice(frame, np.flatnonzero(inside), max(1, sum(outline.clicks for outline in found)), value)


def _vectors(round: Round, index: int, settings: RalisSettings) -> Tensor:
    view = whole_view(round, index)
    entropy = view.entropy * np.float32(view.nats_per_step)
    return region_vectors(view.class_map, entropy, settings.rows, settings.columns, round.pool.class_map.num_classes)


def _asked_cells(round: Round, index: int, settings: RalisSettings) -> NDArray[np.bool_]:
    """(regions,) bool, of which regions of a frame something was asked."""
    found, asked = np.zeros(settings.rows * settings.columns, bool), round.pool.asked(index)
    if asked is not None:
        found[np.unique(cell_map(asked.shape, settings.rows, settings.columns)[asked])] = True
    return found


def _labeled_shares(round: Round, settings: RalisSettings) -> Tensor:
    classes, touched = round.pool.class_map.num_classes, round.pool.touched()

    def shares(label: NDArray[np.uint8]) -> Tensor:
        return class_shares(label, cell_map(label.shape, settings.rows, settings.columns), classes)

    found = [shares(round.labeled.label(i)) for i in range(len(round.labeled) - len(touched))]
    for index in touched:
        known = round.pool.known(index)
        assert known is not None
        found.append(shares(known)[torch.from_numpy(_asked_cells(round, index, settings))])
    return torch.cat(found)
