"""Which nodes of a deployed graph are the network: all between the preprocessing and the logits."""

from __future__ import annotations

from typing import Any

from edgeseg.deploy.parity.graphs import PREPROCESS_SCOPE
from edgeseg.errors import ModelError

LOGITS = "logits"


def network_nodes(model: Any) -> list[Any]:
    """Nodes of an ``onnx.ModelProto`` that make the logits of the network's input, in order.

    Preprocessing stays outside, since a grey level is finer than fp16 resolves above 2048 of its steps, and
    so does what comes after the logits: a softmax and an entropy decide what is sent.

    Raises:
        ModelError: The graph has no tensor ``logits``.
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    if LOGITS not in producers:
        raise ModelError("the graph has no tensor named logits, so the network in it cannot be told; export it again")
    reached: set[str] = set()
    waiting = [LOGITS]
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or node.name.startswith(PREPROCESS_SCOPE) or node.output[0] in reached:
            continue
        reached.add(node.output[0])
        waiting.extend(node.input)
    return [node for node in model.graph.node if node.output[0] in reached]
