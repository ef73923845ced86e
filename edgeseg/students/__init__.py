"""Training networks on labels, and distilling them from cached soft labels."""

from edgeseg.students.extra_loss import ExtraLoss, Step
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.training import TrainResult, distill, train
from edgeseg.students.voices import leads, one_voice

__all__ = [
    "DistillSettings",
    "ExtraLoss",
    "Step",
    "TrainResult",
    "TrainSettings",
    "distill",
    "leads",
    "one_voice",
    "train",
]
