"""Losses on soft labels by name, and any other by ``package.module:Class``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from edgeseg.errors import ConfigError
from edgeseg.plugins import import_callable

_LOSSES = {
    "forward": "edgeseg.students.losses.forward_kl:ForwardKL",
    "reverse": "edgeseg.students.losses.reverse_kl:ReverseKL",
    "class-weighted": "edgeseg.students.losses.class_weighted_kl:ClassWeightedKL",
    "cwd": "edgeseg.students.losses.channel_wise:ChannelWise",
    "pairwise": "edgeseg.students.losses.pairwise:Pairwise",
}
_GIVEN = ("temperature", "t_squared", "class_weights")


def names() -> tuple[str, ...]:
    """Names of the losses that come with the package."""
    return tuple(_LOSSES)


def require_known(name: str) -> None:
    """Raises ``ConfigError`` where a name is neither one of ``names()`` nor a ``package.module:Class``."""
    if name not in _LOSSES and ":" not in name:
        raise ConfigError(f"unknown kl_kind {name!r}; there are {', '.join(names())}, or write package.module:Class")


def build(
    name: str,
    temperature: float,
    t_squared: bool,
    options: Mapping[str, Any],
    class_weights: Callable[[str], Tensor],
) -> nn.Module:
    """Builds a loss.

    Args:
        name: One of ``names()``, or ``package.module:Class`` of a user's own: an ``nn.Module`` that is called like
            ``SoftLabelLoss`` and made with ``temperature``, ``t_squared`` and the options.
        temperature: T, the divisor of the student's logits.
        t_squared: Whether to multiply by T².
        options: The loss's own. One whose signature has ``class_weights`` gets them, and takes ``weighting``
            (``enet``, ``median`` or ``reliability``; default ``enet``) instead.
        class_weights: Weighting → class weights (C,) float32.

    Raises:
        ConfigError: The name is unknown, the class cannot be imported, or an option does not fit.
    """
    require_known(name)
    kind = import_callable(_LOSSES.get(name, name), "kl_kind", "package.module:Class", "a class of losses")
    arguments = dict(options)
    parameters = inspect.signature(kind).parameters
    weighted = "class_weights" in parameters
    weighting = arguments.pop("weighting", "enet") if weighted else None
    _require_options(name, arguments, parameters, weighted)
    if weighting is not None:
        arguments["class_weights"] = class_weights(weighting)
    loss = kind(temperature=temperature, t_squared=t_squared, **arguments)
    if not isinstance(loss, nn.Module):
        raise ConfigError(f"kl_kind {name} made a {type(loss).__name__}, not a torch.nn.Module")
    return loss


def _require_options(
    name: str, options: dict[str, Any], parameters: Mapping[str, inspect.Parameter], weighted: bool
) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    own = [p for p in parameters if p not in _GIVEN]
    if unknown := sorted(set(options) - set(own)):
        known = ", ".join([*own, *(["weighting"] if weighted else [])]) or "none"
        raise ConfigError(f"kl_kind {name} has no option {', '.join(unknown)} in kl_options; its options are: {known}")
