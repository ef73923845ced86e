from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg import datasets
from edgeseg.active.answers import NOT_ASKED, Answers, require_room, write_answer
from edgeseg.active.partial import Known, completed, made_once, write_images, write_training_data
from edgeseg.active.pool import Outside, Pool, Unlabeled
from edgeseg.datasets import Subset
from edgeseg.errors import ConfigError, DataError, OutputError
from edgeseg.images import read_image

DATA = datasets.open("synthetic:4")


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """Frames 1 to 3 of the data; the upper half of the middle one was answered, one pixel of it void."""
    answer = np.full(DATA.label(2).shape, NOT_ASKED, np.uint8)
    answer[: len(answer) // 2] = 7
    answer[0, 0] = 255
    write_answer(tmp_path / "answers", DATA.sample_ids[2], answer)
    return Pool(Unlabeled(Subset(DATA, (1, 2, 3))), Answers((tmp_path / "answers",)))


def test_pool_says_what_was_asked_and_known(pool: Pool) -> None:
    assert (pool.touched(), pool.untouched()) == ([1], [0, 2])
    asked, known = pool.asked(1), pool.known(1)
    assert asked is not None and known is not None and asked[0, 0]
    assert asked.mean() == 0.5 and (known[~asked] == 255).all() and known[0, 0] == 255 and known[0, 1] == 7
    assert pool.asked(0) is None and pool.known(0) is None
    assert pool.pixels(0) == asked.size and pool.frame(1).id == DATA.sample_ids[2]


def test_rest_of_a_frame_is_predicted_or_ignored_and_the_start_is_whole(pool: Pool) -> None:
    known = Known(Subset(DATA, (0,)), pool)
    assert known.sample_ids == (DATA.sample_ids[0], DATA.sample_ids[2])
    np.testing.assert_array_equal(completed(known, 0, lambda image: image[..., 0] * 0), DATA.label(0))
    label = completed(known, 1, lambda image: np.full(image.shape[:2], 3, np.uint8))
    half = len(label) // 2
    assert label[0, 0] == 255 and (label[half:] == 3).all() and (label[1:half] == 7).all()
    assert (completed(known, 1, None)[half:] == 255).all()
    with pytest.raises(DataError, match="its label"):
        completed(known, 1, lambda image: np.zeros((3, 3), np.uint8))


def test_training_folder_reads_as_a_dataset(pool: Pool, tmp_path: Path) -> None:
    known = Known(Subset(DATA, (0,)), pool)
    write_images(DATA, tmp_path / "images")
    write_training_data(known, tmp_path / "images", [0, 2], tmp_path / "data", None)
    found = datasets.open(f"folder:{tmp_path / 'data'}")
    assert found.class_map.same_classes(DATA.class_map) and len(found) == 2
    for index, number in enumerate((0, 2)):
        np.testing.assert_array_equal(found.image(index), DATA.image(number))
        np.testing.assert_array_equal(found.label(index), known.label(index))


def test_images_that_are_files_are_linked(tmp_path: Path) -> None:
    write_images(DATA, tmp_path / "first")
    link = tmp_path / "folder" / "images"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "first")
    write_images(datasets.open(f"folder:{tmp_path / 'folder'}"), tmp_path / "second")
    assert (tmp_path / "second" / "00001.png").is_symlink()
    np.testing.assert_array_equal(read_image(tmp_path / "second" / "00001.png"), DATA.image(1))


def test_of_two_that_make_a_folder_the_first_ones_stays(tmp_path: Path) -> None:
    def late(partial: Path) -> None:
        made_once(tmp_path / "made", lambda other: (other / "first").touch())
        (partial / "second").touch()

    made_once(tmp_path / "made", late)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["first"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        made_once(tmp_path / "file" / "made", late)


def test_labels_outside_of_the_budget_are_counted_once_a_frame() -> None:
    outside = Outside(DATA.label)
    size = outside.label(0).size
    outside.label(0)
    outside.label(2)
    assert outside.pixels == 2 * size


def test_later_answers_win_and_number_254_stands_for_not_asked(tmp_path: Path) -> None:
    for number, value in enumerate((1, 2)):
        write_answer(tmp_path / str(number), "city/frame", np.full((2, 2), value, np.uint8))
    answers = Answers((tmp_path / "0", tmp_path / "1"))
    found = answers.read("city/frame")
    assert found is not None and (found == 2).all() and answers.sample_ids() == ["city/frame"]
    require_room(254)
    with pytest.raises(ConfigError, match="at most 254 classes, the dataset has 255"):
        require_room(255)
