from __future__ import annotations

import numpy as np
import pytest

from edgeseg.active.answers import NOT_ASKED
from edgeseg.active.choices import Choice
from edgeseg.active.oracle import Tally, answer, dominant
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import TrainingError

CLASSES = ClassMap("three", tuple(SegmentationClass(n, (0, 0, i), ()) for i, n in enumerate("abc")))


def _choice(*pixels: int, frame: int = 0, kind: str = "pixels") -> Choice:
    return Choice(frame, np.array(pixels), 1, 0.0, kind)  # type: ignore[arg-type]


def _slow_answer(label: np.ndarray, before: np.ndarray | None, asked: set[int]) -> np.ndarray:
    found = np.full(label.shape, NOT_ASKED, np.uint8)
    for row in range(label.shape[0]):
        for column in range(label.shape[1]):
            if before is not None and before[row, column] != NOT_ASKED:
                found[row, column] = before[row, column]
            if row * label.shape[1] + column in asked:
                found[row, column] = label[row, column]
    return found


def test_answers_are_those_of_the_slow_version() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        label = draw.choice(np.array([0, 1, 2, 255], np.uint8), (5, 7))
        order = draw.permutation(35)
        parts = [np.sort(order[:6]), np.sort(order[6:9]), np.sort(order[9:17])]
        before = answer(label, None, [Choice(0, parts[0], 1)])
        np.testing.assert_array_equal(before, _slow_answer(label, None, set(parts[0].tolist())))
        after = answer(label, before, [Choice(0, parts[1], 1), Choice(0, parts[2], 1)])
        np.testing.assert_array_equal(after, _slow_answer(label, before, set(order[6:17].tolist())))
        assert (after != NOT_ASKED).sum() == 17


def test_dominant_answer_labels_all_with_one_class() -> None:
    label = np.array([[0, 1, 1, 255]], np.uint8)
    assert answer(label, None, [_choice(0, 1, 2, kind="dominant")]).tolist() == [[1, 1, 1, NOT_ASKED]]
    assert dominant(np.array([255, 255, 0], np.uint8)) == 255


@pytest.mark.parametrize("pixels", [(), (3, 2), (1, 1), (4,), (-1, 2)])
def test_positions_must_be_rising_and_within_the_frame(pixels: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match=r"rising positions within \(2, 2\)"):
        answer(np.zeros((2, 2), np.uint8), None, [_choice(*pixels)])


def test_no_pixel_is_answered_twice() -> None:
    label = np.zeros((2, 2), np.uint8)
    before = answer(label, None, [_choice(1)])
    with pytest.raises(TrainingError, match="answered before"):
        answer(label, before, [_choice(0, 1)])
    with pytest.raises(TrainingError, match="answered before"):
        answer(label, None, [_choice(0), _choice(0, 2)])


def test_wrong_share_is_told_beside_what_was_possible() -> None:
    label = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 1, 1, 0]], np.uint8)  # wrong at 1 and 4
    tally = Tally()
    tally.add(label, predicted, [_choice(0, 1, 2), _choice(3, 5)])
    told = tally.to_dict(CLASSES)
    assert told["void_share"] == pytest.approx(1 / 5)
    assert told["wrong_share"] == pytest.approx(1 / 4)
    assert told["wrong_cap"] == pytest.approx(2 / 4)  # two wrong pixels for four that count
    assert told["wrong_of_cap"] == pytest.approx(1 / 2)
    assert told["error_rate"] == pytest.approx(2 / 5)
    assert told["classes"] == {"a": 2, "b": 2, "c": 0}


def test_cap_is_at_most_one_and_unknown_without_labels() -> None:
    tally = Tally()
    tally.add(np.array([[0, 0]], np.uint8), np.array([[1, 1]], np.uint8), [_choice(0)])
    assert tally.to_dict(CLASSES)["wrong_cap"] == 1.0
    void = Tally()
    void.add(np.array([[255]], np.uint8), np.array([[1]], np.uint8), [_choice(0)])
    told = void.to_dict(CLASSES)
    assert told["wrong_share"] is None and told["wrong_cap"] is None and told["error_rate"] is None
