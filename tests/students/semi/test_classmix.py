"""ClassMix, against pastes written out pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from edgeseg.students.semi.classmix import draw_half, mask_of, paste_on_next, shown_classes


def _labels() -> torch.Tensor:
    labels = torch.randint(0, 5, (3, 6, 7), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    labels[:, 0] = 255
    labels[2] = torch.where(labels[2] == 255, labels[2], 4)
    return labels


def test_shown_classes_leave_void_out() -> None:
    shown = shown_classes(_labels(), 5)
    for n, image in enumerate(_labels()):
        assert shown[n].nonzero().flatten().tolist() == [c for c in range(5) if (image == c).any()]


def test_half_of_the_classes_shown_is_drawn_and_each_in_turn() -> None:
    shown = torch.tensor([[True, True, True, True, False], [True, True, True, False, False], [False] * 4 + [True]])
    drawn = torch.stack([draw_half(shown, torch.Generator().manual_seed(seed)) for seed in range(300)])
    assert not (drawn & ~shown).any()
    assert (drawn.sum(2) == torch.tensor([2, 1, 0])).all()
    assert drawn[:, 0, :4].float().mean(0).tolist() == pytest.approx([0.5] * 4, abs=0.12)


def test_equal_seeds_draw_equal_classes() -> None:
    shown = torch.ones(4, 11, dtype=torch.bool)
    first, second = (draw_half(shown, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_void_is_never_pasted() -> None:
    labels = _labels()
    everything = torch.ones(3, 5, dtype=torch.bool)
    assert torch.equal(mask_of(labels, everything), labels != 255)


def test_paste_equals_the_paste_by_loops() -> None:
    labels, images = _labels(), torch.randn(3, 2, 6, 7)
    chosen = draw_half(shown_classes(labels, 5), torch.Generator().manual_seed(0))
    mask = mask_of(labels, chosen)
    mixed, mixed_labels = paste_on_next(mask, images), paste_on_next(mask, labels)
    for n in range(3):
        source = (n - 1) % 3
        for y in range(6):
            for x in range(7):
                label = int(labels[source, y, x])
                taken = source if label != 255 and chosen[source, label] else n
                assert torch.equal(mixed[n, :, y, x], images[taken, :, y, x])
                assert mixed_labels[n, y, x] == labels[taken, y, x]


def test_paste_keeps_the_memory_format() -> None:
    images = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    pasted = paste_on_next(torch.ones(2, 4, 4, dtype=torch.bool), images)
    assert pasted.is_contiguous(memory_format=torch.channels_last)
