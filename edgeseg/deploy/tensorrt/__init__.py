"""TensorRT 8.5 to 11 through one code path: building engines on the target, and what running them needs."""

from edgeseg.deploy.tensorrt.engine_file import EngineFile, EngineRecord
from edgeseg.deploy.tensorrt.export import EngineReport, export_engine
from edgeseg.deploy.tensorrt.settings import BuildSettings, ShapeRange

__all__ = ["BuildSettings", "EngineFile", "EngineRecord", "EngineReport", "ShapeRange", "export_engine"]
