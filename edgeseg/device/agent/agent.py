"""What runs around the scoring of frames when it runs as a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.config import STRICT
from edgeseg.deploy.runners.base import Runner
from edgeseg.device.agent.health import Health, HealthSettings, Trouble
from edgeseg.device.agent.intake import Intake, IntakeSettings
from edgeseg.device.agent.journal import Journal
from edgeseg.device.agent.metrics import Metrics, parse_address
from edgeseg.device.agent.models import ModelSlot
from edgeseg.device.agent.screen import Screen
from edgeseg.device.agent.status import FrameReport, Status
from edgeseg.device.agent.surroundings import Surroundings, open_surroundings, parse_place
from edgeseg.device.privacy import Blur
from edgeseg.device.spool import Spool
from edgeseg.device.view import FrameView
from edgeseg.errors import ConfigError, DataError
from edgeseg.frames import Frame, FrameSource, is_live
from edgeseg.frames.reconnect import Reconnecting
from edgeseg.progress import listening, track


@dataclass(frozen=True)
class AgentSettings:
    """How scoring runs as a service.

    Attributes:
        intake: How frames come in.
        health: From when on something counts as trouble.
        blur: Classes that are blurred before anything is written: ``"person"``, or by bounding box ``"car:box"``.
        blur_probability: See ``Blur``.
        context: File or adapter ``package.module:Class`` that tells vehicle, drive, place and clock.
        place: ``"LATITUDE,LONGITUDE[,METRES]"`` of a vehicle that does not move.
        allow_models: SHA-256 digests, or files of them, of the models that may run; none for any.
        metrics: ``"PORT"`` or ``"HOST:PORT"`` for Prometheus, None for none.
        log: File for the structured log, ``"-"`` for stderr, None for none.
        live: Show the live view.
    """

    intake: IntakeSettings = field(default_factory=IntakeSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    blur: tuple[str, ...] = ()
    blur_probability: float = 0.2
    context: str | None = None
    place: str | None = None
    allow_models: tuple[str, ...] = ()
    metrics: str | None = None
    log: str | None = None
    live: bool = False

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if not 0 < self.blur_probability <= 1:
            raise ConfigError(f"blur_probability must be above 0 and at most 1, got {self.blur_probability}")
        if self.place is not None:
            parse_place(self.place)
        if self.metrics is not None:
            parse_address(self.metrics)


class Agent:
    """Everything around the scoring: intake, health, surroundings, privacy, the model's file, and what is told.

    Args:
        settings: How.
        given: Vehicle and drive, as given by options.
        model: The model, or the slot that swaps it.
        spool: Asked for its counts.
        strategy: Name for the status.

    Attributes:
        status: Counts.
        surroundings: Who, where and when.
    """

    def __init__(
        self, settings: AgentSettings, given: Surroundings, model: Runner | ModelSlot, spool: Spool, strategy: str
    ) -> None:
        self._settings = settings
        self._slot = model if isinstance(model, ModelSlot) else None
        self._runner = model.runner if isinstance(model, ModelSlot) else model
        self._require_blurred(self._runner)
        self._health = Health(settings.health, self._frame_size)
        self.surroundings = open_surroundings(settings.context, given)
        self.status = Status("", self.runner.digest[:12], strategy, spool.info, troubles=self._health.counts)
        self._sinks: list[Callable[[FrameReport], None]] = []
        self._closing = ExitStack()
        self._intake: Intake | None = None
        self._source: FrameSource | None = None
        self._journal: Journal | None = None

    @property
    def runner(self) -> Runner:
        """The model that runs now."""
        return self._runner

    def require(self, checks: Sequence[Callable[[Runner], object]]) -> None:
        """Holds the model, and every one that is to take its place, against what a run needs; a check raises."""
        for check in checks:
            check(self._runner)
        if self._slot is not None:
            self._slot.checks = (*checks, self._require_blurred)

    def frames(self, source: FrameSource, stopping: Callable[[], bool]) -> Iterator[Frame]:
        """The frames of a source, by the intake's rules; between two of them the model may change."""
        self._source, self.status.source = source, source.spec
        intake = self._settings.intake
        if is_live(source.spec) or intake.rate is not None:
            self._intake = Intake(source, intake, stopping)
        self._tell_start()
        frames = self._intake or source
        # The terminal has room for one thing that moves.
        for frame in frames if self._settings.live else track(frames, "scoring frames", source.length):
            yield frame
            if self._slot is not None and self._slot.between_frames(frame.image):
                self._swap()
            if stopping():
                return

    def troubles(self, frame: Frame) -> frozenset[Trouble]:
        """What is wrong as a frame comes."""
        return self._health.look(frame)

    def is_unfit(self, frame: Frame, troubles: frozenset[Trouble]) -> bool:
        """Whether a frame cannot, or is not to be, scored."""
        fixed = self._frame_size
        return self._health.is_unfit(troubles) or (fixed is not None and frame.image.shape[:2] != fixed)

    def shown(self, view: FrameView) -> NDArray[np.uint8]:
        """The frame (H, W, 3) uint8 RGB as it may be written."""
        # By the view's own classes: it may have been made by the model before this one.
        names, probability = self._settings.blur, self._settings.blur_probability
        return Blur.parse(names, view.info.class_map, probability).apply(view) if names else view.frame.image

    def add(self, report: FrameReport) -> None:
        """Enters one frame, and tells of it."""
        self._count()
        self.status.add(report)
        for sink in self._sinks:
            sink(report)

    def require_some(self) -> None:
        """Checks that a run with frames of another size than the model's had others too.

        Raises:
            DataError: None was of the model's size.
        """
        if self._frame_size is not None and not self.status.scored and self._health.counts["size"]:
            height, width = self._frame_size
            raise DataError(
                f"{self.status.source}: no frame is of {height}x{width}, which the model was exported for; "
                "export it with the camera's size as --frame, or without --frame for any size"
            )

    def __enter__(self) -> Agent:
        with ExitStack() as opened:
            if self._settings.log is not None:
                self._journal = Journal(self._settings.log)
                opened.callback(self._journal.close)
                opened.enter_context(listening(self._journal.message))
                self._sinks.append(self._log_frame)
            if self._settings.metrics is not None:
                metrics = Metrics(self._settings.metrics, self.status)
                opened.callback(metrics.close)
                self._sinks.append(metrics.add)
            if self._settings.live:
                screen = Screen(self.status)
                opened.callback(screen.close)
                self._sinks.append(lambda report: screen.update())
            self._closing = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._source is not None:
            self._source.end()
        if self._intake is not None:
            self._intake.close()
        self._count()
        self.status.look()
        if self._journal is not None:
            told = {} if error is None else {"error": str(error) or repr(error)}
            self._journal.write("stopped", "info" if error is None else "error", **self._figures(), **told)
        self._closing.close()

    def _require_blurred(self, runner: Runner) -> None:
        """Checks that a model knows the classes that are to be blurred."""
        Blur.parse(self._settings.blur, runner.info.class_map)

    @property
    def _frame_size(self) -> tuple[int, int] | None:
        """(H, W) that the model was exported for; None for any."""
        export = getattr(self._runner, "export", None)
        return None if export is None else export.frame

    def _swap(self) -> None:
        assert self._slot is not None
        self._runner = self._slot.runner
        self._health.expect(self._frame_size)
        self.status.model = self._runner.digest[:12]

    def _count(self) -> None:
        if self._intake is not None:
            self.status.late = self._intake.late
        if isinstance(self._source, Reconnecting):
            self.status.reconnects = self._source.reconnects
        if self._slot is not None:
            self.status.swaps, self.status.refused_swaps = self._slot.swaps, self._slot.refused

    def _tell_start(self) -> None:
        if self._journal is not None:
            status = self.status
            self._journal.write("started", source=status.source, model=self._runner.digest, strategy=status.strategy)

    def _log_frame(self, report: FrameReport) -> None:
        assert self._journal is not None
        self._journal.write("frame", **vars(report))

    def _figures(self) -> dict[str, object]:
        status = self.status
        counts = {name: getattr(status, name) for name in ("scored", "kept", "unfit", "late", "reconnects", "swaps")}
        return {**counts, "troubles": dict(status.troubles), "rss_mb": round(status.rss_mb, 1)}
