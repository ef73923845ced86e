"""The order of the unlabeled frames."""

from __future__ import annotations

from edgeseg.students.semi.stream import UnlabeledStream


def test_every_frame_comes_once_before_any_comes_again() -> None:
    stream = UnlabeledStream(frames=10, batch_size=4, seed=0, start_epoch=0)
    seen = [key.frame for iteration in range(10) for key in stream.keys(0, iteration)]
    for start in range(0, 40, 10):
        assert sorted(seen[start : start + 10]) == list(range(10))
    assert seen[:10] != seen[10:20]


def test_iteration_alone_decides() -> None:
    one, two = (UnlabeledStream(frames=7, batch_size=3, seed=5, start_epoch=0) for _ in range(2))
    forward = [one.keys(0, iteration) for iteration in range(20)]
    assert [two.keys(0, iteration) for iteration in reversed(range(20))] == forward[::-1]
    assert UnlabeledStream(frames=7, batch_size=3, seed=6, start_epoch=0).keys(0, 0) != forward[0]


def test_more_samples_than_frames_repeat_frames_at_new_positions() -> None:
    keys = UnlabeledStream(frames=2, batch_size=5, seed=0, start_epoch=0).keys(0, 3)
    assert [key.position for key in keys] == [15, 16, 17, 18, 19]
    assert {key.frame for key in keys} == {0, 1}


def test_no_frame_before_the_start() -> None:
    stream = UnlabeledStream(frames=5, batch_size=2, seed=0, start_epoch=3)
    assert stream.keys(2, 29) == []
    assert len(stream.keys(3, 30)) == 2
