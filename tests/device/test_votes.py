"""Vote entropy against scipy's entropy of the counted votes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edgeseg.device.votes import vote_entropy


@pytest.mark.parametrize("voters", [2, 3, 8])
def test_vote_entropy_is_that_of_the_counts(voters: int) -> None:
    votes = np.random.default_rng(voters).integers(0, 4, (voters, 11, 13), np.uint8)
    counts = np.stack([(votes == name).sum(0) for name in range(4)])
    expected = stats.entropy(counts, axis=0) / np.log(voters) * 255
    assert np.abs(vote_entropy(list(votes)) - expected).max() <= 0.501


def test_agreement_is_zero_and_full_disagreement_is_full() -> None:
    same, other = np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8)
    assert not vote_entropy([same, same]).any()
    assert (vote_entropy([same, other]) == 255).all()
