"""RALIS's parts: what regions look like to it, its Q-network, and how that learns from simulated labeling.

Casanova, Pinheiro, Rostamzadeh, Pal, "Reinforced Active Learning for Image Segmentation", ICLR 2020.
"""
