"""Settings of a cache build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgeseg import config
from edgeseg.errors import ConfigError
from edgeseg.softlabels import Coding
from edgeseg.teachers.spec import TeacherSpec, parse_spec


@dataclass(frozen=True)
class CacheSettings:
    """What a soft-label cache is built from.

    Attributes:
        teachers: Specs ``MODEL:T``, at least one.
        data: Dataset whose frames are cached, ``LAYOUT:PATH[#SPLIT]``.
        class_weights: ``data`` (every teacher's IoU on ``data``'s own labels; equal, and announced, where there
            are none), ``equal``, another dataset's spec, or a YAML or JSON file, see ``weights.read_weights``.
        teacher_weights: Weights files of the ``package.module:factory`` teachers, in their order.
        teacher_classes: Classes files of the factory teachers, in their order; one serves all of them.
        remap: YAML or JSON of teacher's class name → dataset's class name or null, where no shipped table covers them.
        flip: Whether each teacher's probabilities are averaged over the frame and its mirror image.
        scratch: Whether the teachers' probabilities wait on disk while the class weights are measured, so that each
            teacher sees each frame once: some three times the cache's size for each teacher, during the
            build. Otherwise the teachers run twice. None: if it takes no more than half of the free space.
        device: Torch device of the teachers; ``auto`` takes the first CUDA device where there is one.
        coding: How accurately each frame is kept: ``kl_nats``, ``agreement``, ``stride``.
    """

    teachers: tuple[str, ...]
    data: str
    class_weights: str = "data"
    teacher_weights: tuple[Path, ...] = ()
    teacher_classes: tuple[Path, ...] = ()
    remap: Path | None = None
    flip: bool = False
    scratch: bool | None = None
    device: str = "auto"
    coding: Coding = field(default_factory=Coding)

    __pydantic_config__ = config.STRICT

    def __post_init__(self) -> None:
        if not self.teachers:
            raise ConfigError("teachers: a cache needs at least one; name it with --teacher MODEL:T")
        factories = [spec.model for spec in self.specs if spec.kind == "factory"]
        _check_files("--teacher-weights", self.teacher_weights, factories, (0, len(factories)))
        _check_files("--teacher-classes", self.teacher_classes, factories, (1 if factories else 0, len(factories)))

    @property
    def specs(self) -> tuple[TeacherSpec, ...]:
        """The teachers, parsed."""
        return tuple(parse_spec(text) for text in self.teachers)


def _check_files(option: str, files: tuple[Path, ...], factories: list[str], allowed: tuple[int, int]) -> None:
    if len(files) not in allowed:
        named = f"{len(factories)} ({', '.join(factories)})" if factories else "no"
        raise ConfigError(
            f"{option} is given {len(files)} times for {named} package.module:factory teachers; give it once for each"
        )
