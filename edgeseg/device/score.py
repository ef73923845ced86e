"""The vehicle's loop: frame, network, score, and what is worth a label goes into the spool."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.config import STRICT
from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.device import strategies
from edgeseg.device.agent.agent import Agent, AgentSettings
from edgeseg.device.agent.models import ModelSlot
from edgeseg.device.agent.status import FrameReport
from edgeseg.device.agent.surroundings import Surroundings, parse_place
from edgeseg.device.agent.watched import SettingsFile
from edgeseg.device.crops import crop_mask
from edgeseg.device.items import Kept, Provenance, describe, encode_blobs
from edgeseg.device.keeping import POLICY_VERSION, Keeper
from edgeseg.device.partition import RegionKind
from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.fit import FittedStrategy, open_fitted
from edgeseg.device.policy.keeper import MakeItem, Seen, StreamKeeper
from edgeseg.device.policy.observe import Observer
from edgeseg.device.policy.settings import PolicySettings
from edgeseg.device.policy.trace import TraceWriter
from edgeseg.device.regions import RegionScore, choose
from edgeseg.device.spool import Spool
from edgeseg.device.stopping import stop_on_signals
from edgeseg.device.strategies import CrfKind, FrameScore, Strategy, StrategyOptions
from edgeseg.device.superpixels import SUPERPIXEL_PX
from edgeseg.device.timing import Timing
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, DataError, OutputError, SpoolFull
from edgeseg.files import write_atomic
from edgeseg.frames import Frame, FrameSource
from edgeseg.images import read_label
from edgeseg.records import LABEL_PATTERN, Record


@dataclass(frozen=True)
class ScoreSettings:
    """How frames are scored and which are kept.

    Attributes:
        strategy: Name of a strategy, or ``package.module:Class``.
        budget_frames: Keep at most N frames of this run, the highest scores; None keeps every frame.
        region_share: Share of a frame's pixels that is chosen as regions, in (0, 1].
        region_score: Whether a region's value is the ``sum`` (the method's) or ``mean`` of its pixels.
        regions: What a frame is cut into: ``pixels``, ``superpixel``, ``grid``, ``component``; None for the
            strategy's own way.
        superpixel_px: Pixels of one superpixel or grid cell.
        edge_weight, committee, crf: See ``StrategyOptions``.
        ignore_mask: Image of the camera's size; where it is not 0, no label is wanted (the car's own hood).
        vehicle, drive: Names that go into the records.
        seed: Of the random strategy.
        ranking: File for the list of all frames by score (JSON lines), None for none. The list is
            held in memory until the run ends.
        fit_ms: What network and scoring may take for a frame: the best strategy that keeps this, beginning with
            ``strategy``; None to keep that one.
        trace: File for all frames as a policy sees them, for ``edgeseg policy replay``; None for none.
        policy: What is kept under budgets in a time; without a budget there, ``budget_frames`` decides.
        policy_file: The same from a YAML file, which is read again when it is replaced.
        agent: How it runs as a service.
    """

    strategy: str = "superpixel"
    budget_frames: int | None = None
    region_share: float = 0.1
    region_score: RegionScore = "sum"
    regions: RegionKind | None = None
    superpixel_px: int = SUPERPIXEL_PX
    edge_weight: float = 1.5
    committee: tuple[Path, ...] = ()
    crf: CrfKind = "superpixel"
    ignore_mask: Path | None = None
    vehicle: str = "unknown"
    drive: str = "unknown"
    seed: int = 0
    ranking: Path | None = None
    fit_ms: float | None = None
    trace: Path | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    policy_file: Path | None = None
    agent: AgentSettings = field(default_factory=AgentSettings)

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.budget_frames is not None and self.budget_frames < 1:
            raise ConfigError(f"budget_frames must be 1 or more, got {self.budget_frames}; leave it out to keep all")
        if self.budget_frames is not None and self.policy.chooses:
            raise ConfigError("budget_frames is of one run; with a policy's budget or trigger leave it out")
        if self.policy_file is not None and (self.policy.chooses or self.budget_frames is not None):
            raise ConfigError(
                f"the policy is in {self.policy_file}; write its budgets and triggers there, and no others"
            )
        if self.superpixel_px < 16:
            raise ConfigError(f"superpixel_px must be at least 16, got {self.superpixel_px}")
        self.strategy_options()
        for option, name in (("vehicle", self.vehicle), ("drive", self.drive)):
            if not re.fullmatch(LABEL_PATTERN, name):
                raise ConfigError(
                    f"{option} must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with "
                    f"a letter or digit; got {name!r}"
                )

    @property
    def given(self) -> Surroundings:
        """What the options say of the surroundings."""
        place = parse_place(self.agent.place) if self.agent.place else None
        return Surroundings(self.vehicle, self.drive, place)

    def strategy_options(self) -> StrategyOptions:
        """What of these the strategy is told.

        Raises:
            ConfigError: One of them is out of range.
        """
        return StrategyOptions(**{field.name: getattr(self, field.name) for field in fields(StrategyOptions)})


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    Attributes:
        frames: Frames decoded.
        kept: Of these, how many are in the spool at the end; ``known`` of them had been there before.
        dropped: The others.
        refused: Of the dropped, those that were to be kept but found no room in the spool.
        late: Of the dropped, those that were not scored since the agent was busy.
        unfit: Of the dropped, those that were not scored since they were black, frozen or of a wrong size.
        unreadable: Images that could not be decoded and were skipped.
        reconnects: How often a live source was lost.
        model_swaps: How often the model's file was replaced by one that runs since.
        policy_swaps: How often the policy's file was replaced by one that could be used.
        troubles: Frames that were black, frozen, of another size or at a clock that is off; seconds short of memory.
        interrupted: Whether it ended on a signal before its source did.
        timing_ms: Medians a frame: ``decode``, ``network`` (preprocessing inside), ``scoring`` (host
            outputs to decision), ``spool`` (encoding and writing a kept frame), ``total``.
        spool: The spool's folder.
        strategy: The strategy's name.
        model_digest: SHA-256 of the model file.
    """

    frames: int
    kept: int
    known: int
    dropped: int
    refused: int
    late: int
    unfit: int
    unreadable: int
    reconnects: int
    model_swaps: int
    policy_swaps: int
    troubles: dict[str, int]
    interrupted: bool
    timing_ms: dict[str, float | None]
    spool: Path
    strategy: str
    model_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**vars(self), "spool": str(self.spool)}


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
        agent.require((lambda runner: _require_outputs(runner, strategy, settings.strategy),))
        run = _Run(settings, strategy, agent, spool)
        with stop_on_signals() as stop, agent, run:
            for frame, start in run.timed(agent.frames(source, lambda: stop.requested)):
                run.take(frame, start)
            run.finish()
    agent.require_some()
    run.write_ranking()
    return run.report(source.skipped, stop.requested)


def _open_strategy(settings: ScoreSettings, opened: ExitStack) -> Strategy:
    if settings.fit_ms is not None:
        return open_fitted(opened, settings.strategy, settings.strategy_options(), settings.fit_ms)
    return opened.enter_context(strategies.opened(settings.strategy, settings.strategy_options()))


def _require_outputs(runner: Runner, strategy: Strategy, name: str) -> None:
    require_outputs(runner, tuple(dict.fromkeys(("class_map", *strategy.needs))), f"strategy {name}")


def _require_choice(policy: PolicySettings) -> None:
    if not policy.chooses:
        raise ConfigError("a policy's file must name a budget (frames, bytes or regions) or triggers")


@dataclass(frozen=True)
class _Ranked:
    """One line of the ranking; ``item_id`` is None where the frame was not spooled."""

    frame: str
    index: int
    timestamp_s: float | None
    score: float
    item_id: str | None


class _Run:
    """State of one run."""

    def __init__(self, settings: ScoreSettings, strategy: Strategy, agent: Agent, spool: Spool) -> None:
        self.settings = settings
        self.strategy = strategy
        self.agent = agent
        self.mask = None if settings.ignore_mask is None else read_label(settings.ignore_mask) != 0
        self.keeper = Keeper(spool, settings.budget_frames)
        self.timing = Timing()
        self.ranked: list[_Ranked] = []
        self.displaced: set[str] = set()
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
        self._rank(frame, verdict.value, item)
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
            image = None if kept.form == "map" else self.agent.shown(view)
            mask = crop_mask(verdict.labels, chosen) if kept.form == "crops" else None
            blobs = encode_blobs(view, image, mask)
            if kept.form == "full":
                self.observer.learn(blobs, verdict.labels.size)
            return describe(view, verdict, chosen, blobs, provenance, kept), blobs

        return make

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
        return FrameView(frame, outputs, runner.info, self.settings.superpixel_px, runner.infer, ignored)

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
            blobs = encode_blobs(view, self.agent.shown(view))
            record = describe(view, verdict, chosen, blobs, self._provenance(view.frame))
            try:
                displaced = self.keeper.keep(record, blobs)
            except SpoolFull:
                self.refused += 1
                return None
            except OutputError as error:
                safe = f"the {self.keeper.kept} frames kept before {view.frame.id} are whole"
                raise OutputError(f"{error}; {safe}") from None
        if displaced is not None:
            self.displaced.add(displaced)
        return record.item_id

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

    def _rank(self, frame: Frame, value: float, item_id: str | None) -> None:
        if self.settings.ranking is not None:
            self.ranked.append(_Ranked(frame.id, frame.index, frame.timestamp_s, value, item_id))

    def write_ranking(self) -> None:
        """Writes the list of all frames, highest score first, where it was asked for."""
        if self.settings.ranking is not None:
            rows = sorted(self.ranked, key=lambda row: (-row.score, row.index))
            write_atomic(self.settings.ranking, "".join(json.dumps(self._line(row)) + "\n" for row in rows))

    def _line(self, row: _Ranked) -> dict[str, Any]:
        if self.stream is not None:
            item_id = self.stream.items.get(row.frame)
        else:
            item_id = row.item_id if row.item_id not in self.displaced else None
        return {**asdict(row), "item_id": item_id, "kept": item_id is not None}

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
