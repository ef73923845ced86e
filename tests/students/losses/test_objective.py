from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from edgeseg.students.losses import CrossEntropy, ForwardKL, KLWeight, Objective


def _heads() -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    torch.manual_seed(0)
    heads = tuple(torch.randn(2, 3, 8 // k, 8 // k) for k in (1, 2, 4))
    label = torch.randint(0, 3, (2, 8, 8), dtype=torch.uint8)
    return heads, label


def test_auxiliary_heads_are_guided_by_the_reduced_label() -> None:
    heads, label = _heads()
    terms = Objective(CrossEntropy(), aux_weights=(0.4, 0.2))(heads, label, None)
    parts = [
        functional.cross_entropy(h, label[:, s // 2 :: s, s // 2 :: s].long())
        for h, s in zip(heads, (1, 2, 4), strict=True)
    ]
    assert float(terms["ce"]) == pytest.approx(float(parts[0]), rel=1e-5)
    assert float(terms["aux"]) == pytest.approx(float(0.4 * parts[1] + 0.2 * parts[2]), rel=1e-5)
    assert float(terms["loss"]) == pytest.approx(float(parts[0] + 0.4 * parts[1] + 0.2 * parts[2]), rel=1e-5)


def test_auxiliary_heads_learn_from_the_reduced_soft_labels() -> None:
    heads, label = _heads()
    label[:, 5] = 255
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    kl = ForwardKL(4)
    terms = Objective(CrossEntropy(), (0.4, 0.2), kl, kl_weight=KLWeight(0.1))(heads, label, soft)
    parts = []
    for head, step in zip(heads, (1, 2, 4), strict=True):
        resized = functional.interpolate(soft, size=head.shape[-2:], mode="bilinear", align_corners=False)
        parts.append(float(kl(head, resized, label[:, step // 2 :: step, step // 2 :: step] != 255)))
    assert float(terms["kl"]) == pytest.approx(parts[0], rel=1e-5)
    assert float(terms["aux_kl"]) == pytest.approx(0.4 * parts[1] + 0.2 * parts[2], rel=1e-5)
    expected = terms["ce"] + terms["aux"] + 0.1 * (terms["kl"] + terms["aux_kl"])
    assert float(terms["loss"]) == pytest.approx(float(expected), rel=1e-6)


def test_auxiliary_heads_are_left_alone_where_asked() -> None:
    heads, label = _heads()
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    terms = Objective(CrossEntropy(), (0.4, 0.2), ForwardKL(4), kl_weight=KLWeight(0.1), kl_aux=False)(
        heads, label, soft
    )
    assert "aux_kl" not in terms
    assert float(terms["loss"]) == pytest.approx(float(terms["ce"] + terms["aux"] + 0.1 * terms["kl"]), rel=1e-6)


def test_kl_is_added_with_its_weight() -> None:
    heads, label = _heads()
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    kl = ForwardKL(4)
    terms = Objective(CrossEntropy(), (), kl, ce_weight=0.5, kl_weight=KLWeight(0.2))(heads[0], label, soft)
    assert float(terms["kl"]) == pytest.approx(float(kl(heads[0], soft)))
    assert float(terms["kl_weight"]) == pytest.approx(0.2)
    assert float(terms["loss"]) == pytest.approx(float(0.5 * terms["ce"] + 0.2 * terms["kl"]), rel=1e-6)


def test_auto_makes_the_terms_as_large_as_asked() -> None:
    heads, label = _heads()
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    objective = Objective(CrossEntropy(), (), ForwardKL(4), ce_weight=0.5, kl_weight=KLWeight("auto", 0.7))
    terms = objective(heads[0], label, soft)
    assert float(terms["kl_weight"] * terms["kl"]) == pytest.approx(0.7 * 0.5 * float(terms["ce"]), rel=1e-5)
    told = objective.figures({name: float(value) for name, value in terms.items()})
    assert told["kl_ce_ratio"] == pytest.approx(0.7, rel=1e-5)
    assert "kl_part" not in told


@pytest.mark.parametrize("on_all", [True, False])
def test_unlabeled_pixels_count_in_the_kl_term_only_where_asked(on_all: bool) -> None:
    heads, label = _heads()
    label[:, :4] = 255
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    terms = Objective(CrossEntropy(), (), ForwardKL(4), 1.0, KLWeight(1.0), kl_on_all=on_all)(heads[0], label, soft)
    counted = slice(0, 8) if on_all else slice(4, 8)
    assert float(terms["kl"]) == pytest.approx(
        float(ForwardKL(4)(heads[0][:, :, counted], soft[:, :, counted])), rel=1e-5
    )


def test_kl_alone_needs_no_label() -> None:
    heads, label = _heads()
    soft = torch.randn(2, 3, 8, 8).softmax(1)
    objective = Objective(CrossEntropy(), (), ForwardKL(4), 0.0, KLWeight(2.0), True)
    terms = objective(heads[0], torch.full_like(label, 255), soft)
    assert set(terms) == {"loss", "kl", "kl_weight", "kl_part"}
    assert float(terms["loss"]) == pytest.approx(2 * float(terms["kl"]))
    assert set(objective.figures({name: float(value) for name, value in terms.items()})) == {"loss", "kl", "kl_weight"}
