from __future__ import annotations

import pytest
import torch

Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def sample() -> Sample:
    """Logits (2, 5, 4, 6), soft labels of the same shape, and a mask (2, 4, 6)."""
    generator = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(2, 5, 4, 6, generator=generator)
    soft = torch.randn(2, 5, 4, 6, generator=generator).mul(2).softmax(1)
    mask = torch.rand(2, 4, 6, generator=generator) > 0.3
    return logits, soft, mask
