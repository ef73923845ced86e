"""Learning from unlabeled frames: mean teacher, confidence weighting, ClassMix."""
