"""Channel masks without a network: lengths, draws, and what may be asked with them."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.dropout import MaskedLayer, all_kept, draw_masks, mask_length, maskable

LAYERS = (MaskedLayer("a", 3000, 0.1), MaskedLayer("b", 5000, 0.5))


def test_masks_keep_the_mean_and_drop_the_share_of_each_layer() -> None:
    masks = draw_masks(LAYERS, 4, seed=3)
    assert masks.shape == (4, mask_length(LAYERS)) == (4, 8000)
    assert masks.dtype == np.float32
    for part, probability in ((masks[:, :3000], 0.1), (masks[:, 3000:], 0.5)):
        assert set(np.unique(part)) == {np.float32(0), np.float32(1 / (1 - probability))}
        assert (part == 0).mean() == pytest.approx(probability, abs=0.02)
        assert part.mean() == pytest.approx(1, abs=0.05)


def test_a_seed_draws_the_same_masks_and_each_pass_others() -> None:
    first = draw_masks(LAYERS, 2, seed=1)
    assert np.array_equal(first, draw_masks(LAYERS, 2, seed=1))
    assert not np.array_equal(first, draw_masks(LAYERS, 2, seed=2))
    assert not np.array_equal(first[0], first[1])


def test_all_kept_is_ones() -> None:
    assert np.array_equal(all_kept(LAYERS, 2), np.ones((2, 8000), np.float32))


@pytest.mark.parametrize(("channels", "probability"), [(0, 0.1), (3, 0.0), (3, 1.0)])
def test_layer_without_channels_or_chance_is_refused(channels: int, probability: float) -> None:
    with pytest.raises(ValueError, match="layer a drops"):
        MaskedLayer("a", channels, probability)


def test_what_takes_no_masks_is_not_maskable() -> None:
    assert maskable(object()) is None
