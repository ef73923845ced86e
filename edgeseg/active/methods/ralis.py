"""RALIS-small: regions of a fixed grid, chosen by a policy that has learned what labeling is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from edgeseg import config
from edgeseg.active.choices import Choice
from edgeseg.active.methods.base import About, Method, MethodOptions, Round, Start
from edgeseg.active.methods.chance import chance_of
from edgeseg.active.methods.region_dqn.candidates import candidates, cell_choice
from edgeseg.active.methods.region_dqn.episodes import q_values
from edgeseg.active.methods.region_dqn.policy import load_policy
from edgeseg.active.methods.region_dqn.pools import draw_pools
from edgeseg.active.methods.region_dqn.preparation import prepare_policy
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.active.methods.spread import Spread


class Ralis(Method):
    """Of each random pool of regions the one of highest Q; the policy is trained before the first round.

    Casanova, Pinheiro, Rostamzadeh, Pal, "Reinforced Active Learning for Image Segmentation", ICLR 2020, in a setting
    reduced for a processor: smaller frames, fewer episodes, no pre-training on GTAV. D_T is part of P, which every
    method is given; D_R is taken of Q and counted as labeled outside of the budget. Within a round the network is
    not trained between the steps, since the loop asks the oracle once.
    """

    about: ClassVar[About] = About(
        "cells of a 4×6 grid, the best of random pools",
        "labels of some 30 frames outside of the budget, to train its policy",
        "thousands of short trainings before the first round",
        "Casanova et al. 2020 (RALIS), reduced",
        "many drives like the first will be labeled with one policy",
    )

    title: ClassVar[str] = "RALIS-small"

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        self.own = config.resolve(RalisSettings, options=options.own)

    def prepare(self, start: Start) -> None:
        """Trains the policy."""
        prepare_policy(start, self.own, self.options.seed)

    def select(self, state: Round) -> Iterator[Choice]:
        """A region of each of K pools, step after step."""
        regions = self.own.rows * self.own.columns
        network, known = load_policy(state.prepared, state.pool.class_map.num_classes, regions)
        found = candidates(state, known, self.own)
        rng = chance_of(self.options.seed, state.number, "ralis")
        spread = Spread("ralis", "Q-value", of="pools of regions")
        while found.free.any():
            pools = draw_pools(np.flatnonzero(found.free), self.own.labeled_at_once, self.own.pool_size, rng)
            values = q_values(network, found.see(pools)).numpy()
            for pool in values:
                spread.add(pool)
            if values.size > 1:
                spread.require()
            state.tell(ralis_q_low=spread.low, ralis_q_high=spread.high)
            for place, best in enumerate(values.argmax(1).tolist()):
                region = int(pools[place, best])
                found.free[region] = False
                frame, cell = found.frames[region // regions], region % regions
                yield cell_choice(state, frame, cell, float(values[place, best]), self.own)
