"""The optimiser, with weight decay where it belongs."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from edgeseg.nets.base import SegmentationNet
from edgeseg.students.groups import OptimizerSettings

_DECAYING = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


def build_optimizer(settings: OptimizerSettings, net: nn.Module, extra: nn.Module | None = None) -> Optimizer:
    """Makes the optimiser of a network's trainable parameters.

    Weights of convolutions and linear layers decay; biases, normalisation layers, PReLU slopes and whatever
    else a network may have do not. The backbone, where there is one, learns at ``backbone_factor`` times the rate.
    ``extra`` is trained along with the network.

    A step is one pass over the weights (``fused``): ENet has hundreds of small ones, whose loop took a twelfth of the
    time of a batch of four at 180×240 on one core.
    """
    whole = nn.ModuleList([net, *([extra] if extra is not None else [])])
    decaying = {id(m.weight) for m in whole.modules() if isinstance(m, _DECAYING)}
    path = net.backbone_path if isinstance(net, SegmentationNet) else ""
    backbone = {id(p) for p in net.get_submodule(path).parameters()} if path else set()
    trained = [p for p in whole.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in trained if (id(p) in decaying) == decays and (id(p) in backbone) == inside],
            "weight_decay": settings.weight_decay if decays else 0.0,
            "rate_factor": settings.backbone_factor if inside else 1.0,
        }
        for inside in (False, True)
        for decays in (True, False)
    ]
    groups = [group for group in groups if group["params"]]
    if settings.kind == "sgd":
        return SGD(
            groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov, fused=True
        )
    kind = AdamW if settings.kind == "adamw" else Adam
    return kind(groups, lr=settings.learning_rate, fused=True)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate of every group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
