"""The space of a sweep: checked before anything runs, then asked for one point after the other."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import typing
from collections.abc import Iterator
from difflib import SequenceMatcher
from random import Random
from typing import Any

from optuna.trial import Trial

from edgeseg.errors import ConfigError
from edgeseg.students.sweep.settings import METHODS, Range, SweepSettings

_KEPT = {
    "seed": "every trial runs with all of seeds",
    "val": "trials on different data cannot be compared",
}


def require_usable(settings: SweepSettings) -> None:
    """Checks names and values of the space, each value on its own.

    Raises:
        ConfigError: The space is empty, names what the method has no setting for (the message lists near names), or
            offers a value that cannot be used.
    """
    if not settings.space:
        raise ConfigError(
            "the space of the sweep is empty; name settings to search, such as "
            "space: {optimizer.learning_rate: {low: 0.0005, high: 0.005, log: true}}"
        )
    known = tuple(_names(METHODS[settings.method]))
    for name, choices in settings.space.items():
        _require_name(name, known, settings.method)
        if isinstance(choices, Range) and settings.sampler == "grid":
            raise ConfigError(f"space.{name}: a grid needs a list of values, got a range; or choose sampler tpe")
        if not _values(choices):
            raise ConfigError(f"space.{name}: the list of values is empty")
    first = first_point(settings)
    for name, choices in settings.space.items():
        for value in _values(choices):
            settings.of_trial({**first, name: value}, settings.seeds[0])


def first_point(settings: SweepSettings) -> dict[str, Any]:
    """Any one point of the space: the first of each list, the low end of each range."""
    return {name: _values(choices)[0] for name, choices in settings.space.items()}


def suggest(trial: Trial, settings: SweepSettings) -> dict[str, Any]:
    """Values of a trial by dotted name: those it has, or else new ones of the sampler."""
    found = {}
    for name, choices in settings.space.items():
        if not isinstance(choices, Range):
            found[name] = json.loads(trial.suggest_categorical(name, _coded(choices)))
        elif choices.integer:
            found[name] = trial.suggest_int(name, int(choices.low), int(choices.high), log=choices.log)
        else:
            found[name] = trial.suggest_float(name, choices.low, choices.high, log=choices.log)
    return found


def grid(settings: SweepSettings) -> list[dict[str, str]]:
    """Every combination of lists, coded as ``suggest`` wants them, in an order drawn by ``sampler_seed``."""
    axes = [_coded(choices) for choices in settings.space.values() if not isinstance(choices, Range)]
    points = [dict(zip(settings.space, point, strict=True)) for point in itertools.product(*axes)]
    Random(settings.sampler_seed).shuffle(points)
    return points


def planned_trials(settings: SweepSettings) -> int:
    """How many trials the finished sweep has."""
    if settings.sampler != "grid":
        return settings.trials
    return min(settings.trials, math.prod(len(_coded(c)) for c in settings.space.values() if not isinstance(c, Range)))


def _coded(choices: list[Any]) -> list[str]:
    # Optuna takes scalars alone; a list such as augment.scale is a choice too. Equal values would be one category.
    return list(dict.fromkeys(json.dumps(choice) for choice in choices))


def _values(choices: Range | list[Any]) -> list[Any]:
    """What can be checked before anything runs: all of a list, the ends of a range."""
    if not isinstance(choices, Range):
        return choices
    return [int(end) if choices.integer else end for end in (choices.low, choices.high)]


def _names(kind: type[Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of a settings dataclass; a mapping, which has any names, stands there with a dot too."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        inner = hints[field.name]
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            yield from _names(inner, f"{prefix}{field.name}.")
            continue
        yield f"{prefix}{field.name}"
        if typing.get_origin(inner) is dict:
            yield f"{prefix}{field.name}."


def _require_name(name: str, known: tuple[str, ...], method: str) -> None:
    if name in _KEPT:
        raise ConfigError(f"space.{name}: {name} cannot be searched, since {_KEPT[name]}")
    inside_mapping = any(k.endswith(".") and name.startswith(k) for k in known)
    if not name.endswith(".") and (name in known or inside_mapping):
        return
    near = ", ".join(_near(name, known)) or "none"
    raise ConfigError(f"space.{name}: {method} has no setting {name!r}; near ones: {near}")


def _near(name: str, known: tuple[str, ...]) -> list[str]:
    def likeness(other: str) -> float:
        pairs = ((name, other), (name.split(".")[-1], other.split(".")[-1]))
        return max(SequenceMatcher(None, *pair).ratio() for pair in pairs)

    ranked = sorted((k for k in known if not k.endswith(".")), key=likeness, reverse=True)
    return [k for k in ranked[:4] if likeness(k) > 0.5]
