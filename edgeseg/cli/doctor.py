"""``edgeseg doctor``."""

from __future__ import annotations

from edgeseg.cli.common import Json, print_json, print_table


def doctor(as_json: Json = False) -> None:
    """Say what this machine can do, which runtime will be chosen, and why."""
    from edgeseg.deploy.doctor import examine

    report = examine()
    if as_json:
        print_json(report.to_dict())
        return
    print_table(("part", "found"), report.rows())
    choices = [(c.suffix, c.backend, "yes" if c.ready else "no", c.why) for c in report.choices]
    print_table(("file", "runtime", "ready", "why"), choices, "What runs here")
    if report.advice:
        print_table(("what to mend",), [(line,) for line in report.advice])
