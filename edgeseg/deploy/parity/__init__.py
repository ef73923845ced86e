"""Parity: whether two models say the same about the same frames, and where they part when they do not."""

from edgeseg.deploy.parity.compare import ParityReport, parity
from edgeseg.deploy.parity.tolerance import TOLERANCES, ParityTolerance

__all__ = ["TOLERANCES", "ParityReport", "ParityTolerance", "parity"]
