"""Networks by name, and any other by ``package.module:factory``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from edgeseg.errors import ConfigError
from edgeseg.nets.base import SegmentationNet, check_num_classes
from edgeseg.nets.foreign import ForeignNet
from edgeseg.plugins import import_callable

_FACTORIES = {
    "deeplabv3": "edgeseg.nets.deeplabv3:DeepLabV3",
    "deeplabv3plus": "edgeseg.nets.deeplabv3plus:DeepLabV3Plus",
    "enet": "edgeseg.nets.enet:ENet",
    "erfnet": "edgeseg.nets.erfnet:ERFNet",
    "icnet": "edgeseg.nets.icnet:ICNet",
}


def names() -> tuple[str, ...]:
    """Names of the networks that come with the package, sorted."""
    return tuple(_FACTORIES)


def build(name: str, num_classes: int, **options: Any) -> SegmentationNet:
    """Builds a network with fresh weights; nothing is downloaded.

    Args:
        name: One of ``names()``, or ``package.module:factory`` of a user's own: a callable that returns an
            ``nn.Module`` giving logits, a tuple that starts with them, or a mapping with ``"out"``, at any
            resolution. It gets ``num_classes`` where its signature has it, and the options.
        num_classes: Number of classes C, 1 to 255.
        **options: The network's own options, such as ``backbone="resnet18"`` of ``icnet``.

    Raises:
        ConfigError: The name is unknown, the factory cannot be imported, or an option does not fit.
    """
    check_num_classes(num_classes)
    own = name in _FACTORIES
    if not own and ":" not in name:
        raise ConfigError(f"unknown network {name!r}; there are {', '.join(names())}, or write package.module:factory")
    factory = import_callable(
        _FACTORIES.get(name, name), "network", "package.module:factory", "a callable that builds a network"
    )
    net = _call(name, factory, num_classes, options)
    if isinstance(net, SegmentationNet):
        return net
    if not isinstance(net, nn.Module):
        raise ConfigError(f"{name} returned a {type(net).__name__}, not a torch.nn.Module")
    return ForeignNet(net, num_classes)


def _call(name: str, factory: Callable[..., object], num_classes: int, options: dict[str, Any]) -> object:
    parameters = inspect.signature(factory).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not open_ended and (unknown := sorted(set(options) - set(parameters))):
        known = ", ".join(p for p in parameters if p != "num_classes") or "none"
        raise ConfigError(f"network {name!r} has no option {', '.join(unknown)}; its options are: {known}")
    if open_ended or "num_classes" in parameters:
        options = {"num_classes": num_classes, **options}
    return factory(**options)
