"""Export: a checkpoint becomes an ONNX graph that was checked and compared before anyone sees it."""

from edgeseg.deploy.export.compare import Comparison, Tolerance
from edgeseg.deploy.export.pipeline import ExportReport, ExportSettings, export, traced_graph

__all__ = ["Comparison", "ExportReport", "ExportSettings", "Tolerance", "export", "traced_graph"]
