"""int8 for OpenVINO by NNCF, its own tool."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from typing import Any

from numpy.typing import NDArray

from edgeseg.deploy.parity.graphs import NETWORK_SCOPE, PREPROCESS_SCOPE
from edgeseg.deploy.precision.network import LOGITS
from edgeseg.errors import ModelError, require

_CONVOLUTIONS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")


class Quantiser:
    """Quantises an ``openvino.Model``, all of its network's layers but for the head, or some of them.

    Args:
        model: The deployed graph as OpenVINO reads it.
        inputs: What the model is fed, its inputs of one call each, from which NNCF takes its ranges.
    """

    def __init__(self, model: Any, inputs: Sequence[list[NDArray[Any]]]) -> None:
        # NNCF reports its use to a third party unless it runs in a test.
        os.environ.setdefault("NNCF_CI", "1")
        self.nncf = require("nncf", "nncf")
        self.nncf.set_log_level(logging.ERROR)
        self.model, self.inputs = model, inputs
        network = _before(model)
        head = set(_head(model))
        outside = [op for op in model.get_ordered_ops() if op.get_friendly_name() not in network]
        self.outside = {op.get_friendly_name() for op in outside if op.get_type_name() != "Constant"} | head
        self.layers = [
            op.get_friendly_name()
            for op in model.get_ordered_ops()
            if op.get_type_name() in _CONVOLUTIONS and op.get_friendly_name() not in self.outside
        ]
        if not self.layers:
            raise ModelError("the graph's network has no convolution beside its head that could be quantised")

    def quantised(self, layers: Collection[str]) -> Any:
        """A copy of the model in which these of ``self.layers`` compute on int8."""
        chosen = set(layers)
        ignored = self.outside | {name for name in self.layers if name not in chosen}
        # NNCF draws its progress on stdout, which is the report's.
        with redirect_stdout(sys.stderr):
            return self.nncf.quantize(
                self.model.clone(),
                self.nncf.Dataset(self.inputs),
                preset=self.nncf.QuantizationPreset.PERFORMANCE,
                target_device=self.nncf.TargetDevice.CPU,
                subset_size=len(self.inputs),
                ignored_scope=self.nncf.IgnoredScope(names=sorted(ignored), validate=False),
            )


def _sources(op: Any) -> list[Any]:
    return [port.get_source_output().get_node() for port in op.inputs()]


def _last(model: Any) -> Any:
    """The network's last operator: the one that makes the logits, or where none is left, the last of its scope.

    A graph that does not emit its logits reads the last layer's outputs before they are in order.
    """
    ops = [op for op in model.get_ordered_ops() if op.get_type_name() not in ("Constant", "Result")]
    makers = [op for op in ops if any(LOGITS in port.get_names() for port in op.outputs())]
    inside = [op for op in ops if op.get_friendly_name().startswith(NETWORK_SCOPE)]
    if not makers and not inside:
        raise ModelError(
            f"the graph has neither a tensor named {LOGITS} nor operators named {NETWORK_SCOPE}..., so the network "
            "in it cannot be told; export it again"
        )
    return (makers or inside)[-1]


def _before(model: Any) -> set[str]:
    """Names of the operators that make the logits of the network's input."""
    reached: set[str] = set()
    waiting = [_last(model)]
    while waiting:
        op = waiting.pop()
        name = op.get_friendly_name()
        if name in reached or name.startswith(PREPROCESS_SCOPE):
            continue
        reached.add(name)
        waiting.extend(_sources(op))
    return reached


def _head(model: Any) -> list[str]:
    """Names of the convolutions from which the logits are reached through no other one."""
    head, seen, waiting = [], set(), [_last(model)]
    while waiting:
        op = waiting.pop()
        if op.get_friendly_name() in seen:
            continue
        seen.add(op.get_friendly_name())
        if op.get_type_name() in _CONVOLUTIONS:
            head.append(str(op.get_friendly_name()))
        else:
            waiting.extend(_sources(op))
    return head
