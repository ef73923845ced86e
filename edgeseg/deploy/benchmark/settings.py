"""What a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgeseg.config import STRICT
from edgeseg.errors import ConfigError


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Attributes:
        backends: Runtimes to use, each for the models that it runs; empty for each model's own.
        sizes: (h, w) of the network's input; empty for each model's own. An exported graph has one size.
        frame: The camera's (H, W), None for the frame that a graph was exported for, or else h×w.
        threads: CPU threads within one operator; empty for the runtime's choice.
        iterations: Measured calls a row.
        warm_up: Calls before them at least; 0 for none at all.
        warm_up_limit_s: Seconds after which warming up ends, whether the latency is steady or not.
        data: Dataset whose first image is the frame, None for a drawn one.
        miou: Whether each row also evaluates its model on ``data``, where that has labels.
        scorer: ``package.module:function`` that makes what scores a frame's outputs, None to leave scoring
            unmeasured. It is called as ``function(strategy, runner, frame)`` and gives ``score(outputs)``.
        strategy: The strategy's name, handed to ``scorer``.
    """

    backends: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    frame: tuple[int, int] | None = None
    threads: tuple[int, ...] = ()
    iterations: int = 100
    warm_up: int = 10
    warm_up_limit_s: float = 20.0
    data: str | None = None
    miou: bool = True
    scorer: str | None = None
    strategy: str = "superpixel"

    __pydantic_config__: ClassVar = STRICT

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f"--iterations must be at least 1, got {self.iterations}")
        if self.warm_up < 0:
            raise ConfigError(f"--warm-up must not be negative, got {self.warm_up}")
        if self.warm_up_limit_s <= 0:
            raise ConfigError(f"--warm-up-limit must be above 0 seconds, got {self.warm_up_limit_s}")
        if any(count < 1 for count in self.threads):
            raise ConfigError(f"--threads must be at least 1, got {min(self.threads)}")
        for size in (*self.sizes, *((self.frame,) if self.frame else ())):
            if min(size) < 1:
                raise ConfigError(f"sizes must be positive, got {size[0]}x{size[1]}")
