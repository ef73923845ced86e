"""What RALIS sees of a region, against loops over its pixels and numpy's histogram."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from edgeseg.active.methods.region_dqn.divergences import kl_divergences, kl_histograms
from edgeseg.active.methods.region_dqn.pools import draw_pools
from edgeseg.active.methods.region_dqn.vectors import cell_map, class_shares, region_vectors, vector_length


def test_camvid_vector_has_the_authors_length() -> None:
    assert vector_length(11) == 204


def test_cells_cover_the_frame_in_equal_parts() -> None:
    cells = cell_map((180, 240), 4, 6)
    assert (np.bincount(cells.ravel()) == 45 * 40).all()
    uneven = np.bincount(cell_map((50, 70), 4, 6).ravel())
    assert len(uneven) == 24 and uneven.max() - uneven.min() <= 13 * 12 - 12 * 11


def test_vectors_equal_loops_over_the_pixels() -> None:
    rng = np.random.default_rng(0)
    class_map = rng.integers(0, 3, (32, 48)).astype(np.uint8)
    class_map[:3] = 255
    entropy = rng.random((32, 48)).astype(np.float32)
    found = region_vectors(class_map, entropy, 2, 3, 3).numpy()
    assert found.shape == (6, 4 + 192)
    for region in range(6):
        top, left = 16 * (region // 3), 16 * (region % 3)
        classes = class_map[top : top + 16, left : left + 16]
        shares = [(classes == c).mean() for c in (0, 1, 2, 255)]
        assert found[region, :4].tolist() == pytest.approx(shares)
        for y in range(8):
            for x in range(8):
                block = entropy[top + 2 * y : top + 2 * y + 2, left + 2 * x : left + 2 * x + 2]
                parts = found[region, 4:].reshape(3, 8, 8)[:, y, x]
                assert parts.tolist() == pytest.approx([block.min(), block.mean(), block.max()])


def test_vectors_of_uneven_cells_stay_within_their_cells() -> None:
    entropy = cell_map((50, 70), 4, 6).astype(np.float32)
    vectors = region_vectors(np.zeros((50, 70), np.uint8), entropy, 4, 6, 2)
    assert torch.equal(vectors[:, 3:], torch.arange(24.0)[:, None].expand(-1, 192))


def test_shares_of_a_true_label_map_count_void_as_no_class() -> None:
    label = np.array([[0, 1, 255, 255]], np.uint8)
    found = class_shares(label, np.array([[0, 0, 0, 1]], np.int32), 2)
    assert found.tolist() == [pytest.approx([1 / 3] * 3), [0, 0, 1]]


def test_divergences_equal_scipys() -> None:
    rng = np.random.default_rng(3)
    candidates, others = (rng.dirichlet(np.ones(5), n).astype(np.float32) for n in (4, 7))
    found = kl_divergences(torch.from_numpy(candidates), torch.from_numpy(others))
    for i in range(4):
        for j in range(7):
            assert float(found[i, j]) == pytest.approx(scipy_entropy(candidates[i], others[j]), abs=1e-4)


def test_divergence_from_a_class_that_is_not_there_is_finite() -> None:
    found = kl_divergences(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    assert 10 < float(found) < 20


def test_histograms_equal_numpys() -> None:
    rng = np.random.default_rng(3)
    candidates, others = (torch.from_numpy(rng.dirichlet(np.ones(5), n).astype(np.float32)) for n in (4, 90))
    found = kl_histograms(candidates, others)
    divergences = kl_divergences(candidates, others).numpy()
    for i in range(4):
        counts, _ = np.histogram(divergences[i], bins=32)
        # A value on the edge of two bins may fall in either, by rounding.
        assert np.abs(found[i].numpy() * 90 - counts).sum() <= 2.01
    assert torch.allclose(found.sum(1), torch.ones(4))


def test_histograms_of_equal_regions_and_of_none() -> None:
    alike = torch.tensor([[0.5, 0.5]])
    assert kl_histograms(alike, alike.repeat(3, 1))[0].nonzero().flatten().tolist() == [16]
    assert torch.equal(kl_histograms(alike, torch.zeros(0, 2)), torch.zeros(1, 32))


def test_pools_hold_each_region_once_and_only_what_is_available() -> None:
    available = np.arange(100, 160)
    pools = draw_pools(available, 5, 10, np.random.default_rng(0))
    assert pools.shape == (5, 10) and len(set(pools.ravel().tolist())) == 50
    assert set(pools.ravel().tolist()) <= set(available.tolist())


@pytest.mark.parametrize(("left", "shape"), [(47, (4, 10)), (7, (1, 7)), (0, (0, 0))])
def test_the_last_regions_make_as_many_pools_as_they_can(left: int, shape: tuple[int, int]) -> None:
    assert draw_pools(np.arange(left), 5, 10, np.random.default_rng(0)).shape == shape
