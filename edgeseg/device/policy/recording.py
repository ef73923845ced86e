"""A drive scored for replay: every frame as a candidate, nothing spooled."""

from __future__ import annotations

from collections.abc import Iterator

from edgeseg.deploy.runners.base import Runner
from edgeseg.device import strategies
from edgeseg.device.items import encode_blobs
from edgeseg.device.policy.candidate import FORMS, Candidate
from edgeseg.device.policy.observe import Observer
from edgeseg.device.regions import choose
from edgeseg.device.strategies import StrategyOptions
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
from edgeseg.frames import FrameSource
from edgeseg.progress import track

MEASURED_EVERY = 10
"""Every so many frames are encoded, to know what an item takes."""


def record_drive(
    source: FrameSource,
    runner: Runner,
    strategy: str,
    frame_rate_hz: float,
    options: StrategyOptions | None = None,
    superpixel_px: int = SUPERPIXEL_PX,
) -> Iterator[Candidate]:
    """Scores a drive.

    Args:
        source: Its frames.
        runner: The model.
        strategy: Name of a strategy, or ``package.module:Class``.
        frame_rate_hz: Frames a second of a source that does not tell the time.
        options: What the strategy is told.
        superpixel_px: Pixels of one superpixel.

    Raises:
        ConfigError: The strategy is unknown.
        ModelError: The model lacks an output that the strategy reads.
        DataError: A frame cannot be read.
    """
    observer = Observer(FORMS, frame_rate_hz)
    told = options or StrategyOptions()
    with strategies.opened(strategy, told) as made:
        strategies.require_readable(runner, made, strategy)
        for number, frame in enumerate(track(source, "scoring frames", source.length)):
            outputs = runner.infer(frame.image)
            view = FrameView(frame, outputs, runner.info, superpixel_px, runner.infer, masked=maskable(runner))
            verdict = made.score(view)
            chosen = choose(verdict.labels, verdict.region_values, told.region_share)
            if number % MEASURED_EVERY == 0:
                observer.learn(encode_blobs(view, frame.image), verdict.labels.size)
            yield observer.observe(view, verdict, chosen).candidate
