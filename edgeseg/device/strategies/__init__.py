"""Strategies: one file each, one protocol, found by name or as ``package.module:Class``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from edgeseg.device.strategies.base import FrameScore, Strategy, StrategyOptions
from edgeseg.errors import ConfigError

STRATEGIES = {
    "random": "edgeseg.device.strategies.random:Random",
    "entropy": "edgeseg.device.strategies.entropy:Entropy",
    "superpixel": "edgeseg.device.strategies.superpixel:Superpixel",
}

__all__ = ["STRATEGIES", "FrameScore", "Strategy", "StrategyOptions", "build", "names"]


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
