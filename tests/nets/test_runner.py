from __future__ import annotations

import torch

from edgeseg.nets.runner import flush_denormals


def test_denormal_numbers_count_as_zero() -> None:
    flush_denormals()
    try:
        assert (torch.tensor([1e-30]) * torch.tensor([1e-10])).item() == 0.0
    finally:
        torch.set_flush_denormal(False)
