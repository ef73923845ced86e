"""Active learning, simulated: an oracle answers from ground truth what a method asks for, round by round."""

from edgeseg.active.run import run
from edgeseg.active.settings import ActiveSettings

__all__ = ["ActiveSettings", "run"]
