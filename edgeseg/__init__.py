"""edgeseg: train big segmentation networks into one small one, and let a vehicle say what to label next."""

__version__ = "0.1.0"
