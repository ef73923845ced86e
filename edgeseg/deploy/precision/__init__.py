"""Lower precisions of an exported graph, made on any machine: fp16 typed in the graph, int8 as explicit Q/DQ."""

from edgeseg.deploy.precision.convert import PRECISIONS, Lowered, Precision, PrecisionSettings, lower

__all__ = ["PRECISIONS", "Lowered", "Precision", "PrecisionSettings", "lower"]
