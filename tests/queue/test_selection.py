"""The choice under a budget: against a slow k-center, against choosing by value alone, and within its bounds."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from sqlalchemy import select

from benchmarks.queue.fleet import Uploads, box, item_id
from edgeseg.errors import ConfigError
from edgeseg.queue.candidates import Pool, read_pool
from edgeseg.queue.database import Database
from edgeseg.queue.diversity import distances
from edgeseg.queue.ingest import ingest
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.packing import REGION
from edgeseg.queue.selection import SelectSettings, choose, select_items
from edgeseg.queue.states import change_state
from edgeseg.queue.tables import Item
from edgeseg.queue.value import ranks, rarity, region_worths

NONE = np.zeros(0, np.int64)


def pool(count: int, seed: int = 0, signatures: np.ndarray | None = None, regions: int = 3) -> Pool:
    rng = np.random.default_rng(seed)
    table = np.zeros((count, regions), REGION)
    table["class"], table["clicks"] = rng.integers(0, 5, table.shape), rng.integers(4, 20, table.shape)
    table["score"], table["area_px"] = rng.random(table.shape), 100
    if signatures is None:
        signatures = rng.integers(-(2**63), 2**63, count, np.int64)
    return Pool(
        numbers=np.arange(count),
        item_ids=[f"{number:064x}" for number in range(count)],
        vehicles=[f"car-{number % 7}" for number in range(count)],
        drives=[f"car-{number % 7}/{number % 31}" for number in range(count)],
        places=[f"{number % 11},0" if number % 2 else None for number in range(count)],
        strategies=np.zeros(count, np.intp),
        scores=rng.random(count),
        signatures=signatures,
        priorities=np.zeros(count, np.int64),
        regions=[row.tobytes() for row in table],
    )


def run(settings: SelectSettings, candidates: Pool, centers: np.ndarray = NONE) -> list[int]:
    names = {number: f"class {number}" for number in range(5)}
    return [c.index for c in choose(settings, candidates, np.full(6, 0.5), centers, names)]


def bits_apart(a: int, b: int) -> int:
    return ((int(a) ^ int(b)) & (2**64 - 1)).bit_count()


def test_distances_are_shares_of_bits() -> None:
    signatures = np.array([0, -1, 1, 2**62, -(2**63)], np.int64)
    assert distances(signatures, np.int64(0)).tolist() == [0, 1, 1 / 64, 1 / 64, 1 / 64]


def test_distance_alone_agrees_with_a_slow_k_center_on_1000_records() -> None:
    candidates = pool(1000)
    centers = candidates.signatures[:3] ^ 1
    chosen = run(SelectSettings(budget_frames=25, diversity=1.0), candidates, centers)
    covered, expected = [int(center) for center in centers], []
    for _ in range(25):
        gaps = [min(bits_apart(s, c) for c in covered) for s in candidates.signatures]
        best = max((i for i in range(1000) if i not in expected), key=lambda i: (gaps[i], -i))
        expected.append(best)
        covered.append(int(candidates.signatures[best]))
    assert chosen == expected


def test_the_radius_is_at_most_twice_the_best_one() -> None:
    candidates = pool(14, seed=3)
    apart = np.array([[bits_apart(a, b) for b in candidates.signatures] for a in candidates.signatures])
    best = min(apart[:, list(centers)].min(1).max() for centers in combinations(range(14), 4))
    chosen = run(SelectSettings(budget_frames=4, diversity=1.0), candidates)
    assert best <= apart[:, chosen].min(1).max() <= 2 * best


def test_value_and_distance_together_agree_with_their_formula() -> None:
    candidates = pool(200)
    chosen = run(SelectSettings(budget_frames=20, diversity=0.3, regions_per_frame=2), candidates)
    worth = region_worths(candidates.regions, candidates.strategies, np.full(6, 0.5))
    values = [np.sort(worth.of(i))[-2:].mean() for i in range(200)]
    expected: list[int] = []
    for _ in range(20):

        def gain(i: int) -> float:
            near = [bits_apart(candidates.signatures[i], candidates.signatures[c]) / 64 for c in expected]
            return float(values[i] ** 0.7 * min(near, default=1.0) ** 0.3)

        expected.append(max((i for i in range(200) if i not in expected), key=gain))
    assert chosen == expected


def test_it_covers_more_kinds_of_frames_than_value_alone() -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(40, 1000, p=np.arange(40, 0, -1) / 820)
    of_kind = rng.integers(-(2**63), 2**63, 40, np.int64)
    flips = (1 << rng.integers(0, 62, (1000, 3))).astype(np.int64)
    candidates = pool(1000, signatures=of_kind[kind] ^ flips[:, 0] ^ flips[:, 1] ^ flips[:, 2])
    spread = run(SelectSettings(budget_frames=40), candidates)
    by_value = run(SelectSettings(budget_frames=40, diversity=0.0), candidates)
    assert len(set(kind[spread])) >= 38
    assert len(set(kind[by_value])) <= 28


def test_ranks_compare_scores_of_two_units() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 1000.0, 9000.0, 9000.0])
    assert ranks(values, np.array([0, 0, 0, 0, 1, 1, 1])).tolist() == [0.25, 0.5, 0.75, 1, 1 / 3, 1, 1]


def test_rarity_in_closed_form() -> None:
    table = np.zeros(3, REGION)
    table["class"], table["area_px"] = [0, 1, -1], [300, 100, 999]
    assert rarity([table.tobytes()], 3).tolist() == [1 / (1 + 2 * 0.75), 1 / (1 + 2 * 0.25), 1.0, 0.5]
    assert rarity([], 2).tolist() == [1.0, 1.0, 0.5]


def test_rare_classes_go_first_where_scores_are_equal() -> None:
    table = np.zeros((50, 1), REGION)
    table["class"], table["score"], table["clicks"] = 0, 1.0, 5
    table["class"][[7, 33]], table["area_px"] = 1, 100
    candidates = pool(50)
    packed = [row.tobytes() for row in table]
    rare = rarity(packed, 2)
    candidates = Pool(**{**vars(candidates), "regions": packed})
    settings = SelectSettings(budget_frames=2, diversity=0.0)
    chosen = choose(settings, candidates, rare, NONE, {0: "road", 1: "rider"})
    assert [c.index for c in chosen] == [7, 33]
    assert chosen[0].reason["rarest_class"] == "rider"


@pytest.mark.parametrize("budget", [1, 7, 40, 10_000])
def test_budgets_are_kept(budget: int) -> None:
    candidates = pool(100)
    for settings in (SelectSettings(budget_regions=budget), SelectSettings(budget_clicks=budget)):
        chosen = choose(settings, candidates, np.full(6, 0.5), NONE, {})
        spent = sum(len(c.region_indexes) if settings.budget_regions else c.clicks for c in chosen)
        assert spent <= budget
        if settings.budget_regions:
            assert spent == min(budget, 300)
    assert len(run(SelectSettings(budget_frames=budget), candidates)) == min(budget, 100)


def test_caps_are_kept() -> None:
    candidates = pool(300)
    settings = SelectSettings(budget_frames=300, per_vehicle=20, per_place=9, per_drive=2)
    chosen = run(settings, candidates)
    for names, cap in ((candidates.vehicles, 20), (candidates.places, 9), (candidates.drives, 2)):
        found = Counter(names[index] for index in chosen)
        del found[None]
        assert max(found.values()) <= cap
    assert Counter(candidates.vehicles[index] for index in chosen)["car-0"] == 20


def test_a_priority_goes_before_value() -> None:
    candidates = pool(100)
    candidates.priorities[[60, 61]] = [1, 2]
    candidates.priorities[5] = -1
    chosen = run(SelectSettings(budget_frames=100), candidates)
    assert chosen[:2] == [61, 60]
    assert chosen[-1] == 5


def test_a_selection_is_stored_with_its_reasons(filled: Callable[[int], Database]) -> None:
    database = filled(30)
    report = select_items(SelectSettings(budget_regions=9, batch="first"), database)
    assert (report.regions, report.candidates) == (9, 30)
    rows = list_items(ListSettings(batch="first", order="chosen"), database)
    assert len(rows) == report.frames
    assert {row["state"] for row in rows} == {"selected"}
    assert sum(len(row["regions"]) for row in rows) == 9
    assert set(rows[0]["reason"]) == {
        "value", "score_rank", "rarest_class", "rarity", "distance", "priority", "candidates",
    }  # fmt: skip
    assert rows[0]["reason"]["distance"] == 1.0


def test_nothing_is_selected_twice(filled: Callable[[int], Database]) -> None:
    database = filled(30)
    seen = [
        {row["id"] for row in list_items(ListSettings(batch=batch), database)}
        for batch in ("a", "b", "c")
        if select_items(SelectSettings(budget_frames=12, batch=batch), database)
    ]
    assert [len(ids) for ids in seen] == [12, 12, 6]
    assert len(set.union(*seen)) == 30


def test_new_choices_keep_away_from_those_before(database: Database, uploads: Uploads) -> None:
    for number in range(6):
        uploads.add(number, image_hash=f"{0 if number < 5 else 2**63 - 1:016x}")
    ingest(str(uploads.folder), database)
    change_state(database, [item_id(0)], "selected", "test")
    select_items(SelectSettings(budget_frames=1, diversity=1.0, batch="far"), database)
    assert [row["id"] for row in list_items(ListSettings(batch="far"), database)] == [item_id(5)]


def test_selections_at_once_share_out_the_items(filled: Callable[[int], Database]) -> None:
    database = filled(40)
    reports: list[int] = []

    def work(batch: str) -> None:
        reports.append(select_items(SelectSettings(budget_frames=30, batch=batch), database).frames)

    threads = [threading.Thread(target=work, args=(f"batch {index}",)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        selected = list(connection.scalars(select(Item.number).where(Item.state == "selected")))
    assert sum(reports) == len(selected) >= 30


def test_a_large_queue_gives_every_class_a_place_in_the_pool(database: Database, uploads: Uploads) -> None:
    for number in range(40):
        kind = 5 if number == 17 else 0
        uploads.add(number, regions=[box(1, 1, 4, 4, (48, 64), kind, 1.0)])
    ingest(str(uploads.folder), database)
    with database.read() as connection:
        best = sorted(connection.execute(select(Item.score, Item.item_id)).all(), reverse=True)[:6]
        found = read_pool(connection, size=12)
    assert item_id(17) in found.item_ids
    assert {row.item_id for row in best} <= set(found.item_ids) | {item_id(17)}
    assert len(found) <= 12


def test_a_frame_without_regions_is_asked_for_as_a_whole(database: Database, uploads: Uploads) -> None:
    uploads.add(1, regions=[])
    ingest(str(uploads.folder), database)
    assert select_items(SelectSettings(budget_regions=5), database).frames == 0
    assert select_items(SelectSettings(budget_frames=5, batch="whole"), database).frames == 1
    assert list_items(ListSettings(batch="whole"), database)[0]["regions"] == []


def test_an_empty_queue_gives_an_empty_selection(database: Database) -> None:
    assert select_items(SelectSettings(budget_frames=5), database).frames == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give one of --budget-regions, --budget-clicks and --budget-frames, got none"),
        ({"budget_frames": 1, "budget_clicks": 2}, "got budget_clicks and budget_frames"),
        ({"budget_frames": 0}, "budget_frames must be at least 1, got 0"),
        ({"budget_frames": 1, "per_drive": 0}, "per_drive must be at least 1, got 0"),
        ({"budget_frames": 1, "diversity": 1.5}, "diversity must be within 0 to 1, got 1.5"),
        ({"budget_frames": 1, "batch": ""}, "batch must be a name of 1 to 64 characters"),
    ],
)
def test_settings_out_of_range_are_told(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SelectSettings(**values)  # type: ignore[arg-type]
