"""Committee: where several models disagree."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners import open_runner
from edgeseg.device.strategies.base import StrategyOptions
from edgeseg.device.strategies.pixelwise import Pixelwise
from edgeseg.device.view import FrameView
from edgeseg.device.votes import vote_entropy
from edgeseg.errors import ConfigError


class Committee(Pixelwise):
    """A pixel's uncertainty is the entropy of the classes that the run's model and the others name there.

    Seung et al., "Query by Committee", 1992; every model costs its own run.
    """

    name: ClassVar[str] = "committee"
    needs: ClassVar[tuple[str, ...]] = ("class_map",)
    score_name: ClassVar[str] = "frame_vote_entropy"

    def __init__(self, options: StrategyOptions) -> None:
        super().__init__(options)
        if not options.committee:
            raise ConfigError("strategy committee needs further models: name each with --committee MODEL")
        self.members = [open_runner(path) for path in options.committee]

    def uncertainty(self, view: FrameView) -> NDArray[np.uint8]:
        """Vote entropy, 255 = log N nats for N models."""
        votes = [view.class_map]
        for path, member in zip(self.options.committee, self.members, strict=True):
            if not member.info.class_map.same_classes(view.info.class_map):
                raise ConfigError(f"--committee {path}: its classes are not those of --model, so they cannot vote")
            votes.append(FrameView(view.frame, member.infer(view.frame.image), member.info).class_map)
        entropy = vote_entropy(votes)
        return entropy if view.ignored is None else np.where(view.ignored, np.uint8(0), entropy)

    def close(self) -> None:
        """Frees the members' memory."""
        for member in self.members:
            member.close()
