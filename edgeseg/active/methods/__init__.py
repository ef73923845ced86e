"""Methods: one file each, one protocol, found by name or as ``package.module:Class``."""

from __future__ import annotations

from dataclasses import replace

from edgeseg.active.methods.base import (
    About,
    Method,
    MethodOptions,
    Round,
    Start,
    ranked,
)
from edgeseg.active.methods.paired import Paired, paired_about
from edgeseg.active.methods.spread import Spread
from edgeseg.active.methods.vehicle import VehicleMethod
from edgeseg.active.methods.vehicle_about import ABOUT
from edgeseg.device import strategies
from edgeseg.errors import ConfigError
from edgeseg.plugins import import_callable

METHODS = {
    "full": "edgeseg.active.methods.full:Full",
    "random-frames": "edgeseg.active.methods.random_frames:RandomFrames",
    "deal": "edgeseg.active.methods.deal:Deal",
    "deal-entropy": "edgeseg.active.methods.deal:DealEntropy",
    "equal": "edgeseg.active.methods.equal:Equal",
    "s4al": "edgeseg.active.methods.s4al:S4al",
    "ralis": "edgeseg.active.methods.ralis:Ralis",
    "vaal": "edgeseg.active.methods.vaal:Vaal",
    "pixelpick": "edgeseg.active.methods.pixelpick:PixelPick",
    "class-balanced-superpixel": "edgeseg.active.methods.class_balanced_superpixel:ClassBalancedSuperpixel",
}
"""Methods with a file of their own; every strategy of the vehicle is one too, where none here has its name."""
PAIRS = ("random+equal", "random+s4al")
"""``A+B`` selects as A and trains as B; these are listed, any two names can be written so."""

__all__ = [
    "METHODS",
    "About",
    "Method",
    "MethodOptions",
    "Round",
    "Spread",
    "Start",
    "about",
    "build",
    "names",
    "ranked",
    "require_known",
    "title",
]


def names() -> tuple[str, ...]:
    """Names of all methods, the vehicle's strategies first."""
    return (*(name for name in strategies.names() if name not in METHODS), *METHODS, *PAIRS)


def require_known(name: str) -> None:
    """Raises ``ConfigError`` where a name is none of ``names()``, no ``package.module:Class`` and no pair of these."""
    if name not in names() and "+" in name:
        for part in name.split("+", 1):
            require_known(part)
    elif name not in names() and ":" not in name:
        raise ConfigError(f"strategy {name!r} is unknown; choose from {', '.join(names())}, or package.module:Class")


def build(name: str, options: MethodOptions) -> Method:
    """Makes a method.

    Args:
        name: One of ``names()``, or ``package.module:Class`` of a ``Method`` or of a vehicle's strategy, or two of
            them as ``A+B``.
        options: What it is told; a pair's own options are those of its second part.

    Raises:
        ConfigError: The name is unknown, the class cannot be made, or it has no such option.
    """
    require_known(name)
    if "+" in name:
        first, second = name.split("+", 1)
        return Paired(name, build(first, replace(options, own={})), build(second, options))
    if name in strategies.STRATEGIES and name not in METHODS:
        return VehicleMethod(name, options)
    kind = _kind(name)
    if isinstance(kind, type) and issubclass(kind, Method):
        return kind(options)
    return VehicleMethod(name, options)


def about(name: str) -> About:
    """What is told of a method."""
    if "+" in name:
        first, second = name.split("+", 1)
        return paired_about(about(first), about(second), second)
    if name in ABOUT:
        return ABOUT[name]
    found = getattr(_kind(name), "about", None)
    return found if isinstance(found, About) else About("see its own documentation", "", "", name, "")


def title(name: str) -> str:
    """What tables of results call a method."""
    return str(getattr(_kind(name), "title", "") or name) if name in METHODS else name


def _kind(name: str) -> object:
    return import_callable(METHODS.get(name, name), "strategy", "package.module:Class", "a class of methods")
