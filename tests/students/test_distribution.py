from __future__ import annotations

import sys

import pytest
import torch

from edgeseg.errors import ConfigError, MissingDependencyError
from edgeseg.students.distribution import ALONE, Distribution, joined, local_rank
from edgeseg.students.reduction import gather_from_processes, shared_mean, sum_over_processes
from edgeseg.students.semi.settings import SemiSettings

CPU = torch.device("cpu")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the second of four processes, two on each machine."""
    for name, value in {"WORLD_SIZE": 4, "RANK": 1, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))


def test_process_alone_leads_and_finds_its_own_numbers() -> None:
    with joined(CPU) as together:
        assert together is ALONE and together.leads
    value = torch.tensor([1.0, 2.0])
    assert sum_over_processes(value) is value
    assert torch.equal(gather_from_processes(value), value[None])
    assert shared_mean(torch.tensor(6.0), torch.tensor(4)).item() == 1.5
    assert shared_mean(torch.tensor(0.0), torch.tensor(0)).item() == 0
    assert ALONE.of_leader(lambda: "found") == "found"
    assert local_rank() is None


def test_batch_that_cannot_be_split_is_named_with_the_processes() -> None:
    ALONE.require_share("batch_size", 7)
    Distribution(0, 2).require_share("batch_size", 8)
    with pytest.raises(ConfigError, match=r"batch_size: a batch of 8 samples cannot be split evenly over 3 processes"):
        Distribution(0, 3).require_share("batch_size", 8)


def test_plain_mix_needs_two_images_in_each_process() -> None:
    settings = SemiSettings(classmix="plain")
    assert settings.samples(4, processes=2) == 4
    with pytest.raises(ConfigError, match=r"a batch has one; set semi\.batch_size to 8 or more"):
        settings.samples(4, processes=4)


def test_missing_library_is_told_where_several_processes_train(launched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert local_rank() == 1
    with pytest.raises(MissingDependencyError, match=r"edgeseg\[train\]"), joined(CPU):
        pass
