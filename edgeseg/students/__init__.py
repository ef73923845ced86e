"""Training networks on labels, and distilling them from cached soft labels."""

from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.training import TrainResult, distill, train

__all__ = ["DistillSettings", "TrainResult", "TrainSettings", "distill", "train"]
