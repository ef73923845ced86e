"""A small road scene that the package draws itself: drives with labels, from nothing but a seed."""

from edgeseg.datasets.synthetic.classes import CLASS_MAP
from edgeseg.datasets.synthetic.dataset import SyntheticDataset, open_synthetic

__all__ = ["CLASS_MAP", "SyntheticDataset", "open_synthetic"]
