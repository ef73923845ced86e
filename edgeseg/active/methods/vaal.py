"""VAAL: the frames that look least like those with labels, whatever the segmentation says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg import config
from edgeseg.active.choices import Choice, frame_choice
from edgeseg.active.methods.adversarial.frames import SmallFrames
from edgeseg.active.methods.adversarial.settings import VaalSettings
from edgeseg.active.methods.adversarial.training import AdversarialFigures, AdversarialPair
from edgeseg.active.methods.base import About, Method, MethodOptions, Round, ranked
from edgeseg.active.methods.spread import Spread
from edgeseg.files import write_atomic
from edgeseg.progress import say
from edgeseg.students.hardware import computing_threads


class Vaal(Method):
    """Whole frames of the smallest D(μ); autoencoder and critic are trained afresh in every round.

    Sinha, Ebrahimi, Darrell, "Variational Adversarial Active Learning", ICCV 2019, with frames of 64×96 pixels, a
    smaller autoencoder, the divergence as a mean, and a training apart from the segmentation's.
    """

    about: ClassVar[About] = About(
        "whole frames, those that look least like the labeled ones",
        "all frames, small, in memory",
        "the training of an autoencoder and a critic each round",
        "Sinha et al. 2019 (VAAL)",
        "frames are labeled whole, and the drives differ much in looks",
    )

    def __init__(self, options: MethodOptions) -> None:
        super().__init__(options)
        self.own = config.resolve(VaalSettings, options=options.own)

    def select(self, state: Round) -> Iterator[Choice]:
        """Frames of which nothing was asked, from the smallest D(μ) on."""
        untouched, known = state.pool.untouched(), len(state.labeled)
        images = chain((state.labeled.image(i) for i in range(known)), (state.pool.frames.image(i) for i in untouched))
        frames = SmallFrames.of(images)
        everything = torch.arange(len(frames))
        pair = AdversarialPair(
            frames, everything[:known], everything[known:], self.own, self.options.seed + state.number
        )
        with computing_threads(state.training.threads):
            self._train(state, pair)
            scores = pair.scores(everything)
        _require_varied(scores)
        for index, value in ranked((i, -float(s)) for i, s in zip(untouched, scores[known:], strict=True)):
            yield frame_choice(index, np.asarray(state.view(index).class_map), value)

    def _train(self, state: Round, pair: AdversarialPair) -> None:
        told: list[AdversarialFigures] = []

        def tell(figures: AdversarialFigures) -> None:
            told.append(figures)
            say(
                f"vaal: iteration {figures.iteration} of {self.own.iterations}, reconstruction error "
                f"{figures.reconstruction_error:.3f}, critic's accuracy {figures.critic_accuracy:.3f}"
            )

        pair.train(tell)
        write_atomic(state.folder / "vaal.jsonl", "".join(json.dumps(asdict(figures)) + "\n" for figures in told))
        state.tell(
            vaal_reconstruction_error=told[-1].reconstruction_error, vaal_critic_accuracy=told[-1].critic_accuracy
        )


def _require_varied(logits: NDArray[np.float32]) -> None:
    """Ends the run where the critic says the same of all frames, labeled or not."""
    spread = Spread("vaal", "critic's output")
    for probability in torch.sigmoid(torch.from_numpy(logits)).numpy():
        spread.add(probability)
    spread.require()
