"""A network in the form that runs fastest once exported: the same function of the image, made of other layers."""

from __future__ import annotations

import copy
from typing import Protocol, cast, runtime_checkable

from torch import nn

from edgeseg.nets.doubling import Doubling, can_double


@runtime_checkable
class Deployable(Protocol):
    """A block that has another form for deployment."""

    def deployed_form(self) -> nn.Module:
        """A module with the same outputs in evaluation, up to rounding; may share this one's parts."""
        ...


def deployable(net: nn.Module) -> nn.Module:
    """A copy of a network for export, in evaluation mode.

    Blocks that say how take their deployed form; every other transposed convolution that doubles the size becomes
    a ``Doubling``.
    """
    net = copy.deepcopy(net).eval()
    _replace(net)
    return net


def last_doubling(net: nn.Module) -> Doubling | None:
    """The layer of a deployable network that writes the logits, where that is a ``Doubling``."""
    names = getattr(net, "classifier_names", ())
    layer = net.get_submodule(names[-1]) if names else None
    return layer if isinstance(layer, Doubling) else None


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if can_double(child):
            setattr(module, name, Doubling(cast(nn.ConvTranspose2d, child)))
        elif isinstance(child, Deployable):
            setattr(module, name, child.deployed_form().eval())
        else:
            _replace(child)
