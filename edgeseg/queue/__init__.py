"""The labeling queue: what vehicles uploaded, which of it is worth a label next, and what became of it.

None of it needs torch.
"""
