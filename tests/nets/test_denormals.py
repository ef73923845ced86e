from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from edgeseg.nets.denormals import flushed_denormals


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Denormal numbers count: a library built with -ffast-math switches that off for the process that loads it."""
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)


def product() -> float:
    return (torch.tensor([1e-30]) * torch.tensor([1e-10])).item()


def test_denormal_numbers_count_as_zero_inside_alone() -> None:
    assert product() > 0
    with flushed_denormals():
        assert product() == 0
        with flushed_denormals():
            assert product() == 0
        assert product() == 0
    assert product() > 0


def test_an_error_leaves_the_processor_as_it_was() -> None:
    with pytest.raises(RuntimeError), flushed_denormals():
        raise RuntimeError
    assert product() > 0
