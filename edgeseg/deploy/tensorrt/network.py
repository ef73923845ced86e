"""An ONNX file as a TensorRT network."""

from __future__ import annotations

from pathlib import Path

from edgeseg.deploy.metadata import Tensor
from edgeseg.deploy.tensorrt import api
from edgeseg.deploy.tensorrt.features import Features
from edgeseg.errors import ModelError

DTYPES = {
    "FLOAT": ("tensor(float)", "float32"),
    "HALF": ("tensor(float16)", "float16"),
    "UINT8": ("tensor(uint8)", "uint8"),
    "INT8": ("tensor(int8)", "int8"),
    "INT32": ("tensor(int32)", "int32"),
    "INT64": ("tensor(int64)", "int64"),
    "BOOL": ("tensor(bool)", "bool"),
}
"""TensorRT's name of a type → onnxruntime's and NumPy's. Not ``trt.nptype``: up to 8.6.0 it reads ``np.bool``,
which NumPy has dropped."""


def create_network(trt: api.Module, builder: api.Builder, features: Features, strong: bool) -> api.INetworkDefinition:
    """An empty network, typed by its graph or by flags."""
    flags = 0
    if features.explicit_batch:
        flags |= 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
    if features.strongly_typed and strong:
        flags |= 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return builder.create_network(flags)


def parse(trt: api.Module, network: api.INetworkDefinition, logger: object, onnx_path: Path) -> None:
    """Fills a network with a graph.

    Raises:
        ModelError: The parser refuses it; the message names the node.
    """
    parser: api.OnnxParser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx_path)):
        found = [_told(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ModelError(
            f"{onnx_path}: TensorRT {trt.__version__} cannot parse it: {'; '.join(found) or 'it gives no reason'}; "
            "export the checkpoint again with this edgeseg"
        )


def _told(error: object) -> str:
    """A parser's error; which of its fields there are depends on the version."""
    name, operator = (getattr(error, field, str)() for field in ("node_name", "node_operator"))
    number, text = (getattr(error, field, str)() for field in ("node", "desc"))
    where = f"node {name or number}" + (f" ({operator})" if operator else "")
    return f"{where}: {text}"


def network_tensors(network: api.INetworkDefinition) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs, as ``read_metadata`` takes them."""
    inputs = tuple(_tensor(network.get_input(index)) for index in range(network.num_inputs))
    return inputs, tuple(_tensor(network.get_output(index)) for index in range(network.num_outputs))


def _tensor(tensor: api.ITensor) -> Tensor:
    shape = tuple("?" if length < 0 else int(length) for length in tensor.shape)
    return Tensor(str(tensor.name), DTYPES[tensor.dtype.name][0], shape)
