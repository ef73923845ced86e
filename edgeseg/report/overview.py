"""The page of one run, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeseg import __version__
from edgeseg.errors import UsageError
from edgeseg.report.kinds import Run, read_run
from edgeseg.report.kinds.base import unique
from edgeseg.report.page import Facts, Page, Section, write_page
from edgeseg.report.sides import not_comparable, side_by_side


def report(paths: Sequence[Path], out: Path) -> Page:
    """Writes one page of all runs; those of one kind are held against each other.

    Args:
        paths: Folders and files that commands wrote.
        out: The HTML file.

    Returns:
        The page.

    Raises:
        UsageError: No run is named.
        DataError: A path is no run, or is damaged.
        MissingDependencyError: jinja2 or matplotlib is not installed.
        OutputError: ``out`` cannot be written.
    """
    if not paths:
        raise UsageError("name at least one run: a folder or file that a command of edgeseg wrote")
    page = page_of([read_run(path) for path in paths])
    write_page(page, out)
    return page


def page_of(runs: Sequence[Run]) -> Page:
    """The page of runs that are read: one after the other, side by side where they are of one kind."""
    footer = f"Made by edgeseg report, edgeseg {__version__}."
    if len(runs) == 1:
        (run,) = runs
        about = _about(run)
        return Page(run.name, run.lead, (*about, *run.sections), footer, run.kind, run.warnings, run.summary)
    names = unique([run.name for run in runs])
    groups = [[run for run in runs if run.kind == kind] for kind in dict.fromkeys(run.kind for run in runs)]
    compared = [_compared(group) for group in groups if len(group) > 1]
    sections = [section for run, name in zip(runs, names, strict=True) for section in _named(run, name)]
    told = [text for group in groups if len(group) > 1 for text in not_comparable(group)]
    told += [f"{name}: {text}" for run, name in zip(runs, names, strict=True) for text in run.warnings]
    if len(groups) > 1:
        told.append(f"runs of {len(groups)} kinds stand here one after the other; only those of one kind are compared")
    return Page(
        " · ".join(names),
        " ".join(f"{name}: {run.lead}" for run, name in zip(runs, names, strict=True)),
        (*compared, *sections),
        footer,
        " and ".join(dict.fromkeys(run.kind for run in runs)),
        tuple(told),
        tuple(f"{name}: {text}" for run, name in zip(runs, names, strict=True) for text in run.summary),
    )


def _compared(group: Sequence[Run]) -> Section:
    section = side_by_side(group)
    return replace(section, title=f"Side by side: {group[0].kind}")


def _about(run: Run) -> tuple[Section, ...]:
    facts = tuple((name, value) for name, value in run.facts if value is not None)
    return (Section("On what it ran", "", (Facts(facts),)),) if facts else ()


def _named(run: Run, name: str) -> list[Section]:
    return [replace(section, title=f"{name}: {section.title}") for section in (*_about(run), *run.sections)]
