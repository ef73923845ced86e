"""Names for TensorRT's own objects, as its Python interface has them.

TensorRT is no dependency and has no stubs, so to the type checker each is ``Any``. They are written out
all the same: the tests read them from the code's syntax tree and hold every attribute that is touched
against the list of what each version has.
"""

from typing import Any, TypeAlias

Module: TypeAlias = Any
"""``tensorrt``, or ``tensorrt_rtx``, which has the same builder."""
Builder: TypeAlias = Any
IBuilderConfig: TypeAlias = Any
IOptimizationProfile: TypeAlias = Any
ITimingCache: TypeAlias = Any
INetworkDefinition: TypeAlias = Any
OnnxParser: TypeAlias = Any
Runtime: TypeAlias = Any
ICudaEngine: TypeAlias = Any
IExecutionContext: TypeAlias = Any
ILayer: TypeAlias = Any
ITensor: TypeAlias = Any
