"""Strategies: one file each, one protocol, found by name or as ``package.module:Class``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import cast

from edgeseg.deploy.runners.base import Runner, require_outputs
from edgeseg.device.strategies.base import CrfKind, DropoutScore, FrameScore, Strategy, StrategyOptions
from edgeseg.errors import ConfigError

STRATEGIES = {
    "random": "edgeseg.device.strategies.random:Random",
    "entropy": "edgeseg.device.strategies.entropy:Entropy",
    "entropy-edge": "edgeseg.device.strategies.entropy_edge:EntropyEdge",
    "superpixel": "edgeseg.device.strategies.superpixel:Superpixel",
    "superpixel-crf": "edgeseg.device.strategies.superpixel_crf:SuperpixelCrf",
    "class-specific": "edgeseg.device.strategies.class_specific:ClassSpecific",
    "margin": "edgeseg.device.strategies.margin:Margin",
    "least-confidence": "edgeseg.device.strategies.least_confidence:LeastConfidence",
    "flip-consistency": "edgeseg.device.strategies.flip_consistency:FlipConsistency",
    "mc-dropout": "edgeseg.device.strategies.mc_dropout:McDropout",
    "committee": "edgeseg.device.strategies.committee:Committee",
    "class-balanced-superpixel": "edgeseg.device.strategies.class_balanced_superpixel:ClassBalancedSuperpixel",
}

__all__ = [
    "STRATEGIES",
    "CrfKind",
    "DropoutScore",
    "FrameScore",
    "Strategy",
    "StrategyOptions",
    "build",
    "names",
    "opened",
    "require_readable",
]


def names() -> tuple[str, ...]:
    """Names of the strategies that come with the package."""
    return tuple(STRATEGIES)


def build(name: str, options: StrategyOptions) -> Strategy:
    """Makes a strategy.

    Args:
        name: A key of ``STRATEGIES``, or ``package.module:Class`` of a user's own.
        options: What it is told.

    Raises:
        ConfigError: The name is unknown, or the module, the class or the protocol's parts are missing.
    """
    target = STRATEGIES.get(name, name)
    module, colon, attribute = target.partition(":")
    if not colon:
        raise ConfigError(f"strategy {name!r} is unknown; choose from {', '.join(STRATEGIES)}, or package.module:Class")
    try:
        made = getattr(import_module(module), attribute)(options)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"strategy {name!r} cannot be made ({error}); it must be a class that takes StrategyOptions"
        ) from None
    missing = [part for part in ("name", "needs", "score") if not hasattr(made, part)]
    if missing:
        raise ConfigError(f"strategy {name!r} lacks {', '.join(missing)}; see edgeseg.device.strategies.base.Strategy")
    return cast(Strategy, made)


def require_readable(runner: Runner, strategy: Strategy, name: str) -> None:
    """Checks that a model gives what a strategy, and the choice of regions after it, reads.

    Args:
        runner: The model.
        strategy: What reads it.
        name: What the strategy was called by.

    Raises:
        ModelError: An output is missing; the message names the export option.
    """
    require_outputs(runner, tuple(dict.fromkeys(("class_map", *strategy.needs))), f"strategy {name}")


@contextmanager
def opened(name: str, options: StrategyOptions) -> Iterator[Strategy]:
    """Makes a strategy as ``build`` does, and at the block's end closes it, where it has a ``close``."""
    made = build(name, options)
    try:
        yield made
    finally:
        close = getattr(made, "close", None)
        if close is not None:
            close()
