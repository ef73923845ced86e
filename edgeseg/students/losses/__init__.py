"""Losses, one a file, and the objective that adds them up."""

from edgeseg.students.losses.class_weights import ClassCounts, count_classes, enet_weights, median_frequency_weights
from edgeseg.students.losses.cross_entropy import CrossEntropy
from edgeseg.students.losses.kl import SoftLabelKL
from edgeseg.students.losses.objective import Objective

__all__ = [
    "ClassCounts",
    "CrossEntropy",
    "Objective",
    "SoftLabelKL",
    "count_classes",
    "enet_weights",
    "median_frequency_weights",
]
