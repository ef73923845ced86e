"""The vehicle's loop: frame, network, score, and what is worth a label goes into the spool."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners.base import Runner
from edgeseg.device import strategies
from edgeseg.device.agent.agent import Agent
from edgeseg.device.agent.models import ModelSlot
from edgeseg.device.agent.status import FrameReport
from edgeseg.device.agent.watched import SettingsFile
from edgeseg.device.crops import crop_mask
from edgeseg.device.items import AS_IT_IS, Kept, Provenance, describe, encode_blobs
from edgeseg.device.keeping import POLICY_VERSION, Keeper
from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.fit import FittedStrategy, open_fitted
from edgeseg.device.policy.keeper import MakeItem, Seen, StreamKeeper
from edgeseg.device.policy.observe import Observer
from edgeseg.device.policy.settings import PolicySettings
from edgeseg.device.policy.trace import TraceWriter
from edgeseg.device.ranking import Ranking
from edgeseg.device.regions import choose
from edgeseg.device.score_report import ScoreReport
from edgeseg.device.score_settings import ScoreSettings
from edgeseg.device.spool import Spool
from edgeseg.device.stopping import stop_on_signals
from edgeseg.device.strategies import FrameScore, Strategy
from edgeseg.device.timing import Timing
from edgeseg.device.view import FrameView
from edgeseg.dropout import maskable
from edgeseg.errors import ConfigError, DataError, OutputError, SpoolFull
from edgeseg.frames import Frame, FrameSource
from edgeseg.images import read_label
from edgeseg.records import Record


def score(settings: ScoreSettings, source: FrameSource, model: Runner | ModelSlot, spool: Spool) -> ScoreReport:
    """Scores the frames of a source and spools those that are kept.

    Of a ``ModelSlot``, a new model takes the old one's place between two frames.

    SIGINT and SIGTERM end the run after the frame in hand.

    Raises:
        ConfigError: The strategy is unknown.
        ModelError: The model lacks an output that the strategy reads; the message names the export option.
        DataError: A frame cannot be read, is not what the model takes, or got a score that is not finite.
        OutputError: The spool or the ranking cannot be written; the frames kept until then are whole.
    """
    with ExitStack() as opened:
        strategy = _open_strategy(settings, opened)
        agent = Agent(settings.agent, settings.given, model, spool, settings.strategy)
        agent.require((lambda runner: strategies.require_readable(runner, strategy, settings.strategy),))
        run = _Run(settings, strategy, agent, spool)
        with stop_on_signals() as stop, agent, run:
            for frame, start in run.timed(agent.frames(source, lambda: stop.requested)):
                run.take(frame, start)
            run.finish()
    agent.require_some()
    run.ranking.write(run.stream.items if run.stream else None)
    return run.report(source.skipped, stop.requested)


def _open_strategy(settings: ScoreSettings, opened: ExitStack) -> Strategy:
    if settings.fit_ms is not None:
        return open_fitted(opened, settings.strategy, settings.strategy_options(), settings.fit_ms)
    return opened.enter_context(strategies.opened(settings.strategy, settings.strategy_options()))


def _require_choice(policy: PolicySettings) -> None:
    if not policy.chooses:
        raise ConfigError("a policy's file must name a budget (frames, bytes or regions) or triggers")


class _Run:
    """State of one run."""

    def __init__(self, settings: ScoreSettings, strategy: Strategy, agent: Agent, spool: Spool) -> None:
        self.settings = settings
        self.strategy = strategy
        self.agent = agent
        self.mask = None if settings.ignore_mask is None else read_label(settings.ignore_mask) != 0
        self.keeper = Keeper(spool, settings.budget_frames)
        self.timing = Timing()
        self.ranking = Ranking(settings.ranking)
        self.refused = 0
        self.trace = TraceWriter(settings.trace) if settings.trace is not None else None
        self.policy_file = SettingsFile(settings.policy_file, PolicySettings) if settings.policy_file else None
        policy = self.policy_file.settings if self.policy_file else settings.policy
        if self.policy_file is not None:
            _require_choice(policy)
        self.observer = Observer(policy.forms, policy.frame_rate_hz)
        stream = f"{settings.strategy} {agent.runner.digest}"
        self.stream = StreamKeeper(policy, spool, stream, settings.seed) if policy.chooses else None

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        if self.stream is not None:
            self.stream.close()
        if self.trace is not None:
            self.trace.close()

    def timed(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, int]]:
        """Yields each frame with the time at which its decoding began."""
        while True:
            start = time.perf_counter_ns()
            frame = next(frames, None)
            if frame is None:
                return
            self.timing.add("decode", time.perf_counter_ns() - start)
            yield frame, start

    def take(self, frame: Frame, start: int) -> None:
        """Scores a frame, spools it if it is kept, and tells how it went since ``start``."""
        if self.policy_file is not None:
            self.policy_file.between_frames(self._adopt)
        troubles = self.agent.troubles(frame)
        score, item_id = (None, None) if self.agent.is_unfit(frame, troubles) else self._score(frame)
        self.timing.add("total", time.perf_counter_ns() - start)
        if score is not None and isinstance(self.strategy, FittedStrategy):
            self.strategy.note(sum(self.timing.last_ms(part) or 0.0 for part in ("network", "scoring")))
        last = {} if score is None else {part: self.timing.last_ms(part) for part in ("network", "scoring")}
        self.agent.add(FrameReport(frame.id, score, item_id, troubles, (time.perf_counter_ns() - start) / 1e6, last))

    def _score(self, frame: Frame) -> tuple[float, str | None]:
        """A frame's score, and its item's id where it was kept."""
        view = self._view(frame)
        with self.timing.measure("scoring"):
            verdict = self._verdict(view)
            chosen = choose(verdict.labels, verdict.region_values, self.settings.region_share)
            candidate = self._candidate(view, verdict, chosen)
            wanted = self.stream is None and self.keeper.wants(verdict.value)
        if self.stream is not None and candidate is not None:
            item = self._offer(self.stream, Seen(candidate, self._maker(view, verdict, chosen)))
        else:
            item = self._keep(view, verdict, chosen) if wanted else None
        self.ranking.add(frame, verdict.value, item)
        return verdict.value, item

    def _adopt(self, policy: PolicySettings) -> None:
        _require_choice(policy)
        if self.stream is not None:
            self.stream.adopt(policy)
            self.observer = Observer(policy.forms, policy.frame_rate_hz)

    def finish(self) -> None:
        """Decides on frames that wait for a decision, when the source has ended."""
        if self.stream is not None:
            self.stream.finish()

    def _candidate(self, view: FrameView, verdict: FrameScore, chosen: NDArray[np.intp]) -> Candidate | None:
        if self.stream is None and self.trace is None:
            return None
        candidate = self.observer.observe(view, verdict, chosen).candidate
        if self.trace is not None:
            self.trace.add(candidate)
        return candidate

    def _maker(self, view: FrameView, verdict: FrameScore, chosen: NDArray[np.intp]) -> MakeItem:
        """What encodes a frame once it is to be kept, maybe some frames later."""
        provenance = self._provenance(view.frame)

        def make(kept: Kept) -> tuple[Record, dict[str, bytes]]:
            record, blobs = self._item(view, verdict, chosen, provenance, kept)
            if kept.form == "full":
                self.observer.learn(blobs, verdict.labels.size)
            return record, blobs

        return make

    def _item(
        self, view: FrameView, verdict: FrameScore, chosen: NDArray[np.intp], provenance: Provenance, kept: Kept
    ) -> tuple[Record, dict[str, bytes]]:
        image = None if kept.form == "map" else self.agent.shown(view)
        mask = crop_mask(verdict.labels, chosen) if kept.form == "crops" else None
        blobs = encode_blobs(view, image, mask)
        return describe(view, verdict, chosen, blobs, provenance, kept), blobs

    def _offer(self, stream: StreamKeeper, seen: Seen) -> str | None:
        """The item that came in by this frame, which may be an earlier frame's; None where none did."""
        start = time.perf_counter_ns()
        try:
            came = stream.offer(seen)
        except OutputError as error:
            raise OutputError(
                f"{error}; the {stream.kept} frames kept before {seen.candidate.frame} are whole"
            ) from None
        if came:
            self.timing.add("spool", time.perf_counter_ns() - start)
        return came[-1] if came else None

    def _view(self, frame: Frame) -> FrameView:
        runner = self.agent.runner
        with self.timing.measure("network"):
            try:
                outputs = runner.infer(frame.image)
            except DataError as error:
                raise DataError(f"frame {frame.id} of {frame.source}: {error}") from None
        ignored = self._ignored(frame)
        return FrameView(
            frame, outputs, runner.info, self.settings.superpixel_px, runner.infer, ignored, maskable(runner)
        )

    def _ignored(self, frame: Frame) -> NDArray[np.bool_] | None:
        if self.mask is not None and self.mask.shape != frame.image.shape[:2]:
            raise DataError(
                f"{self.settings.ignore_mask}: is {self.mask.shape[0]}x{self.mask.shape[1]}, but frame {frame.id} is "
                f"{frame.image.shape[0]}x{frame.image.shape[1]}; draw it on one of the camera's frames"
            )
        return self.mask

    def _verdict(self, view: FrameView) -> FrameScore:
        verdict = self.strategy.score(view)
        if not (math.isfinite(verdict.value) and np.isfinite(verdict.region_values).all()):
            raise DataError(
                f"frame {view.frame.id}: strategy {self.settings.strategy} gave a score that is not finite "
                f"({verdict.value}); does the model's checkpoint hold finite weights?"
            )
        return verdict

    def _keep(self, view: FrameView, verdict: FrameScore, chosen: NDArray[np.intp]) -> str | None:
        with self.timing.measure("spool"):
            record, blobs = self._item(view, verdict, chosen, self._provenance(view.frame), AS_IT_IS)
            try:
                displaced = self.keeper.keep(record, blobs)
            except SpoolFull:
                self.refused += 1
                return None
            except OutputError as error:
                safe = f"the {self.keeper.kept} frames kept before {view.frame.id} are whole"
                raise OutputError(f"{error}; {safe}") from None
        if displaced is not None:
            self.ranking.displace(displaced)
        return record.item_id if displaced != record.item_id else None

    def _provenance(self, frame: Frame) -> Provenance:
        around = self.agent.surroundings.now(frame)
        return Provenance(
            vehicle=around.vehicle,
            drive=around.drive,
            model_digest=self.agent.runner.digest,
            policy=self.stream.policy if self.stream else self.keeper.policy,
            policy_version=self.stream.version if self.stream else POLICY_VERSION,
            strategy=self.strategy.name if self.settings.fit_ms is not None else self.settings.strategy,
            place=around.place,
            clock=around.clock,
            blurred=self.settings.agent.blur,
        )

    def report(self, unreadable: int, interrupted: bool) -> ScoreReport:
        """Sums the run up."""
        status = self.agent.status
        keeper = self.stream or self.keeper
        return ScoreReport(
            frames=status.frames,
            kept=keeper.kept,
            known=keeper.known,
            dropped=status.frames - keeper.kept,
            refused=self.refused + (self.stream.refused if self.stream else 0),
            late=status.late,
            unfit=status.unfit,
            unreadable=unreadable,
            reconnects=status.reconnects,
            model_swaps=status.swaps,
            policy_swaps=self.policy_file.swaps if self.policy_file else 0,
            troubles={name: count for name, count in status.troubles.items() if count},
            interrupted=interrupted,
            timing_ms=self.timing.medians_ms(),
            spool=self.keeper.spool.path,
            strategy=self.settings.strategy,
            model_digest=self.agent.runner.digest,
        )
