"""The check at a run's start: whatever is wrong with the data stops it here, never in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Sequence

from edgeseg.datasets.base import Dataset
from edgeseg.datasets.inspection import LabelStatistics, SampleFacts, dataset_problems, inspect_samples, summarize
from edgeseg.datasets.memo import Memo
from edgeseg.errors import DataError

SHOWN_PROBLEMS = 5


def require_usable(dataset: Dataset, labels: bool = True) -> None:
    """Makes sure that every sample can be read.

    Files found good before and unchanged since are not read again. A dataset that is computed has no files to check.

    Args:
        dataset: What a run is about to read.
        labels: Whether the run needs labels.

    Raises:
        DataError: There are no labels but the run needs them, or files cannot be used; the message lists the first.
    """
    _require_samples(dataset, labels)
    if not dataset.files(0):
        _refuse(dataset, dataset.listing_problems)
        return
    _good_facts(dataset, labels)


def label_statistics(dataset: Dataset) -> LabelStatistics:
    """Class frequencies of a labeled dataset; what ``require_usable`` or ``check`` read before is not read again.

    Raises:
        DataError: There are no labels, or files cannot be used.
    """
    _require_samples(dataset, labels=True)
    return summarize(_good_facts(dataset, labels=True), dataset.class_map.num_classes)


def _require_samples(dataset: Dataset, labels: bool) -> None:
    if not len(dataset):
        raise DataError(f"{dataset.spec}: there is no sample; check the split and the share set aside")
    if labels and not dataset.has_labels:
        form = f" ({dataset.label_form})" if dataset.label_form else ""
        raise DataError(
            f"{dataset.spec}: this run needs labels and there are none{form}; add them or take another split"
        )


def _good_facts(dataset: Dataset, labels: bool) -> list[SampleFacts]:
    memo = Memo(dataset, labels)
    recalled = {index: memo.recall(index) for index in range(len(dataset))}
    unread = [index for index, fact in recalled.items() if fact is None]
    read = dict(zip(unread, inspect_samples(dataset, unread, labels, "checking the data"), strict=True))
    if read:
        memo.remember(read)
    facts = [read[index] if fact is None else fact for index, fact in recalled.items()]
    problems = tuple(problem for fact in facts for problem in fact.problems)
    whole = dataset_problems(dataset, summarize(facts, dataset.class_map.num_classes))
    _refuse(dataset, whole + problems)
    return facts


def _refuse(dataset: Dataset, problems: Sequence[str]) -> None:
    if not problems:
        return
    more = len(problems) - SHOWN_PROBLEMS
    rest = f"\n  and {more} more; list them with: edgeseg data check '{dataset.spec}'" if more > 0 else ""
    shown = "".join(f"\n  {problem}" for problem in problems[:SHOWN_PROBLEMS])
    raise DataError(f"{dataset.spec} cannot be used, {len(problems)} problem(s):{shown}{rest}")
