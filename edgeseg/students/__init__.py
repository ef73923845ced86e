"""Training networks on labels, and distilling them from cached soft labels."""

from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.training import TrainResult, distill, train
from edgeseg.students.voices import leads, one_voice

__all__ = ["DistillSettings", "TrainResult", "TrainSettings", "distill", "leads", "one_voice", "train"]
