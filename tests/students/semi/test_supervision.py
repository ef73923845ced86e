"""The teacher, and what the student is made to learn from it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from edgeseg.students.hardware import Hardware
from edgeseg.students.semi.settings import SemiSettings
from edgeseg.students.semi.supervision import SemiSupervision
from edgeseg.students.semi.unlabeled import UnlabeledBatch

CPU = Hardware(torch.device("cpu"), torch.float32, torch.contiguous_format)
NAMES = ("road", "car", "pole")


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 3, 1))


def _semi(net: nn.Module, **settings: Any) -> SemiSupervision:
    return SemiSupervision(SemiSettings(**settings), net, CPU, NAMES, seed=0)


def _batch(**changes: Any) -> UnlabeledBatch:
    images = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(1))
    plain: dict[str, Any] = {
        "teacher_images": images,
        "student_images": images + 1,
        "flips": torch.zeros(2, dtype=torch.bool),
        "inside": torch.ones(2, 4, 6, dtype=torch.bool),
        "pasted": torch.full((2, 4, 6), 255, dtype=torch.uint8),
        "known": torch.full((2, 4, 6), 255, dtype=torch.uint8),
        "soft_labels": None,
        "positions": (6, 7),
    }
    return UnlabeledBatch(**(plain | changes))


def _wander(net: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.copy_(torch.randint(1, 9, tensor.shape, generator=generator))


def test_teacher_is_first_the_mean_of_all_students_then_their_moving_average() -> None:
    net = _net()
    semi = _semi(net, ema_decay=0.9)
    expected: dict[str, torch.Tensor] = {}
    for step in range(30):
        _wander(net, step)
        semi.update(step)
        decay = min(1 - 1 / (step + 1), 0.9)
        for name, tensor in net.state_dict().items():
            new = tensor.clone() if not tensor.is_floating_point() else tensor.double()
            known = expected.get(name, new)
            expected[name] = new if not tensor.is_floating_point() else decay * known + (1 - decay) * new
    assert semi.teacher is not None
    for name, tensor in semi.teacher.net.state_dict().items():
        torch.testing.assert_close(tensor.double(), expected[name].double(), rtol=1e-5, atol=1e-5, msg=name)
    assert {"1.running_mean", "1.running_var", "1.num_batches_tracked"} <= expected.keys()


def test_after_the_first_iteration_the_teacher_is_the_student_batch_norm_included() -> None:
    net = _net()
    semi = _semi(net)
    net(torch.randn(4, 3, 8, 8))
    semi.update(0)
    assert semi.teacher is not None
    theirs = net.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in semi.teacher.net.state_dict().items())
    assert not torch.equal(theirs["1.running_mean"], torch.zeros(4))


@pytest.mark.parametrize("mean_teacher", [True, False])
def test_labels_are_given_in_evaluation_mode_and_leave_no_trace(mean_teacher: bool) -> None:
    net = _net().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    semi = _semi(net, mean_teacher=mean_teacher, classmix="off")
    first, second = semi.prepare(_batch()), semi.prepare(_batch())
    assert first.target is not None and second.target is not None
    assert torch.equal(first.target.confidence, second.target.confidence)  # no dropout
    reference = _net().eval()
    assert torch.equal(first.target.labels.long(), reference(_batch().teacher_images).argmax(1))
    assert net.training and all(module.training for module in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_without_mean_teacher_the_student_of_now_labels() -> None:
    net = _net()
    semi = _semi(net, mean_teacher=False, classmix="off")
    with torch.no_grad():
        net[3].bias.copy_(torch.tensor([0.0, 0.0, 100.0]))  # type: ignore[union-attr, operator]
    target = semi.prepare(_batch()).target
    assert semi.teacher is None and target is not None
    assert (target.labels == 2).all()


def test_pasted_pixels_have_their_own_label_and_full_confidence() -> None:
    pasted = torch.full((2, 4, 6), 255, dtype=torch.uint8)
    pasted[0, 1, 2:4], pasted[1, 0] = 2, 1
    semi = _semi(_net(), classmix="balanced")
    plain, mixed = semi.prepare(_batch()).target, semi.prepare(_batch(pasted=pasted)).target
    assert plain is not None and mixed is not None
    there = pasted != 255
    assert torch.equal(mixed.labels[there], pasted[there]) and (mixed.confidence[there] == 1).all()
    assert torch.equal(mixed.labels[~there], plain.labels[~there])
    assert torch.equal(mixed.confidence[~there], plain.confidence[~there])
    assert semi.figures() == {"pasted": {"road": 0, "car": 1, "pole": 1}}
    assert semi.figures() == {"pasted": {"road": 0, "car": 0, "pole": 0}}


def test_known_labels_stand_in_the_place_of_the_teacher_s_but_under_what_is_pasted() -> None:
    known, pasted = (torch.full((2, 4, 6), 255, dtype=torch.uint8) for _ in range(2))
    known[0, 1], pasted[0, 1, 2:4] = 0, 2
    semi = _semi(_net(), classmix="balanced")
    plain, told = semi.prepare(_batch()), semi.prepare(_batch(known=known, pasted=pasted))
    assert plain.target is not None and told.target is not None
    assert told.target.labels[0, 1].tolist() == [0, 0, 2, 2, 0, 0] and (told.target.confidence[0, 1] == 1).all()
    rest = (known == 255) & (pasted == 255)
    assert torch.equal(told.target.labels[rest], plain.target.labels[rest])
    assert torch.equal(told.figures["confidence"], plain.figures["confidence"])  # of the teacher alone
    assert semi.figures() == {"pasted": {"road": 0, "car": 0, "pole": 1}}


def test_plain_mix_moves_known_labels_along() -> None:
    known = torch.full((2, 4, 6), 255, dtype=torch.uint8)
    known[0, :2], known[0, 2:] = 0, 1
    task = _semi(_net(), classmix="plain").prepare(_batch(known=known))
    assert task.target is not None
    moved = (task.images[1] != _batch().student_images[1]).any(0)
    assert moved.any() and (task.target.labels[1][moved] == known[0][moved]).all()


def test_plain_mix_moves_image_label_confidence_and_soft_labels_together() -> None:
    soft = torch.rand(2, 3, 4, 6)
    batch = _batch(soft_labels=soft, inside=torch.rand(2, 4, 6) < 0.9)
    semi, off = _semi(_net(), classmix="plain"), _semi(_net(), classmix="off")
    mixed, plain = semi.prepare(batch), off.prepare(batch)
    assert mixed.target is not None and plain.target is not None and mixed.soft_labels is not None
    moved = (mixed.images != plain.images).any(1)
    assert moved.any()
    for n in range(2):
        source = torch.where(moved[n], 1 - n, n)
        for y in range(4):
            for x in range(6):
                s = int(source[y, x])
                assert torch.equal(mixed.images[n, :, y, x], plain.images[s, :, y, x])
                assert mixed.target.labels[n, y, x] == plain.target.labels[s, y, x]
                assert mixed.target.confidence[n, y, x] == plain.target.confidence[s, y, x]
                assert torch.equal(mixed.soft_labels[n, :, y, x], soft[s, :, y, x])
    assert sum(semi.figures()["pasted"].values()) > 0
    assert off.figures() == {}


def test_terms_add_up() -> None:
    semi = _semi(_net(), weight=0.5, classmix="off", threshold=0.0)
    task = semi.prepare(_batch(soft_labels=torch.rand(2, 3, 4, 6)))
    logits = torch.randn(2, 3, 4, 6)

    class Seven(nn.Module):
        def forward(self, given: torch.Tensor, soft_labels: torch.Tensor) -> torch.Tensor:
            assert given is logits and soft_labels is task.soft_labels
            return torch.tensor(7.0)

    known = {"loss": torch.tensor(1.0), "ce": torch.tensor(1.0), "kl_weight": torch.tensor(0.1)}
    terms = semi.add(known, logits, task, Seven())
    assert float(terms["loss"]) == pytest.approx(1 + 0.5 * float(terms["pseudo_ce"]) + 0.1 * 7)
    assert float(terms["ce"]) == 1 and float(terms["unlabeled_kl"]) == 7
    assert task.target is not None
    assert float(terms["confidence"]) == pytest.approx(float(task.target.confidence.mean()))
    assert float(terms["sure"]) == 1


def test_told_confidence_is_the_teacher_s_alone() -> None:
    pasted = torch.zeros(2, 4, 6, dtype=torch.uint8)
    semi = _semi(_net())
    assert torch.equal(
        semi.prepare(_batch(pasted=pasted)).figures["confidence"], semi.prepare(_batch()).figures["confidence"]
    )


def test_weight_zero_asks_no_teacher() -> None:
    semi = _semi(_net(), weight=0.0)
    task = semi.prepare(_batch(soft_labels=torch.rand(2, 3, 4, 6)))
    assert semi.teacher is None and task.target is None and task.figures == {}
    assert semi.figures() == {}
