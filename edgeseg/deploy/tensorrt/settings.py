"""How an engine is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError

Typing = Literal["auto", "strong", "weak"]
TYPINGS: tuple[Typing, ...] = ("auto", "strong", "weak")


@dataclass(frozen=True)
class ShapeRange:
    """Smallest, likeliest and largest of what a graph leaves open.

    Attributes:
        batch: Frames a call.
        height: Of the camera's frame, in pixels.
        width: Of the camera's frame, in pixels.
    """

    batch: tuple[int, int, int] = (1, 1, 1)
    height: tuple[int, int, int] | None = None
    width: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "height", "width"):
            values = getattr(self, name)
            if values is not None and not 1 <= values[0] <= values[1] <= values[2]:
                raise ConfigError(
                    f"the engine's {name} must be smallest, likeliest, largest, each at least 1, got "
                    f"{','.join(map(str, values))}"
                )


@dataclass(frozen=True)
class BuildSettings:
    """What may be chosen.

    Attributes:
        workspace_mb: Memory on the device that kernels may use while they run, in MiB; None for
            TensorRT's own bound, which is all there is.
        timing_cache: File that keeps what was timed, so that the next build is quick; None for none.
        dla_core: Deep-learning accelerator to build for, None for the GPU. Layers that it cannot run
            fall back to the GPU and are reported.
        typing: ``strong`` takes each tensor's type from the graph; ``weak`` lets TensorRT choose among the
            precisions that the graph's precision allows; ``auto`` is strong wherever the version has it.
        tf32: Whether fp32 convolutions may round their inputs to TF32 on GPUs that have it. Off, so
            that fp32 means fp32.
        shapes: What an open batch or frame may be.
        targets: GPUs to build for that need not be there, such as ``SM86``; TensorRT-RTX alone can.
    """

    workspace_mb: int | None = None
    timing_cache: Path | None = None
    dla_core: int | None = None
    typing: Typing = "auto"
    tf32: bool = False
    shapes: ShapeRange = ShapeRange()
    targets: tuple[str, ...] = ()

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.workspace_mb is not None and self.workspace_mb < 1:
            raise ConfigError(f"--workspace must be at least 1 MiB, got {self.workspace_mb}")
        if self.dla_core is not None and self.dla_core < 0:
            raise ConfigError(f"--dla must be the number of a core, 0 or 1, got {self.dla_core}")
        if self.typing not in TYPINGS:
            raise ConfigError(f"--typing must be one of {', '.join(TYPINGS)}, got {self.typing!r}")
