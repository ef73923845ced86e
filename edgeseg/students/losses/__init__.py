"""Losses, one a file, and the objective that adds them up."""

from edgeseg.students.losses.channel_wise import ChannelWise
from edgeseg.students.losses.class_weighted_kl import ClassWeightedKL
from edgeseg.students.losses.class_weights import ClassCounts, count_classes, enet_weights, median_frequency_weights
from edgeseg.students.losses.cross_entropy import CrossEntropy
from edgeseg.students.losses.forward_kl import ForwardKL
from edgeseg.students.losses.kl_weight import KLWeight
from edgeseg.students.losses.objective import Objective
from edgeseg.students.losses.pairwise import Pairwise
from edgeseg.students.losses.reverse_kl import ReverseKL
from edgeseg.students.losses.soft_label_loss import SoftLabelLoss

__all__ = [
    "ChannelWise",
    "ClassCounts",
    "ClassWeightedKL",
    "CrossEntropy",
    "ForwardKL",
    "KLWeight",
    "Objective",
    "Pairwise",
    "ReverseKL",
    "SoftLabelLoss",
    "count_classes",
    "enet_weights",
    "median_frequency_weights",
]
