"""Searching settings of ``train`` and ``distill``: each trial the mean over seeds, on data held out of the training.

OUT/sweep.yaml              the sweep's settings            OUT/study.db    its trials (Optuna's, SQLite)
OUT/trials/0003/seed1/      the training of a trial         OUT/best.yaml   settings of the best trial
OUT/trials.csv, .md, .json  every trial                     OUT/sweep.png   mIoU over each searched setting
"""

from edgeseg.students.sweep.run import sweep
from edgeseg.students.sweep.settings import Range, SweepSettings
from edgeseg.students.sweep.table import SweepResult, TrialRow

__all__ = ["Range", "SweepResult", "SweepSettings", "TrialRow", "sweep"]
