"""Lower precisions of an exported graph, made on any machine: fp16 typed in the graph, int8 as explicit Q/DQ."""

from edgeseg.deploy.precision.convert import Lowered, lower
from edgeseg.deploy.precision.measure import Frames
from edgeseg.deploy.precision.settings import PRECISIONS, Precision, PrecisionSettings

__all__ = ["PRECISIONS", "Frames", "Lowered", "Precision", "PrecisionSettings", "lower"]
