"""VAAL's parts: an autoencoder of frames, a critic that tells labeled from unlabeled ones, and their training.

Sinha, Ebrahimi, Darrell, "Variational Adversarial Active Learning", ICCV 2019.
"""
