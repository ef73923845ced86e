"""The soak's report page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeseg.report.page import Page, Section, Table, write_page
from edgeseg.report.plots import curves


def write_soak_page(report: dict[str, Any], path: Path) -> None:
    """Writes the page of a soak's figures."""
    memory, samples = report["agent_memory"], report["samples"]
    minutes = [index + 1.0 for index in range(len(samples["frames_a_minute"]))]
    rows = (
        ("frames", report["frames"]),
        ("of these dropped while the agent was busy", report["late"]),
        ("kept", report["kept"]),
        ("kept, and not on the server at the end", report["lost"]),
        ("on the server twice", report["server"]["twice"]),
        ("models swapped", report["model_swaps"]),
        ("broken models refused", report["models_refused"]),
        ("latency, median, ms", report["latency_ms"]["p50"]),
        ("latency, 99 %, ms", report["latency_ms"]["p99"]),
        ("agent's memory at most, MB", memory["most_mb"]),
        ("its slope, MB per 1000 frames", memory["slope_mb_per_1000_frames"]),
        ("its slope in the last third, after all swaps", memory["last_third_slope_mb_per_1000_frames"]),
        ("upload's memory at most, MB", report["upload_most_mb"]),
    )
    resident = {
        name: ([at / 60 for at, _ in samples[key]], [mb for _, mb in samples[key]])
        for name, key in (("agent", "agent_mb"), ("upload", "upload_mb"))
    }
    settings = report["settings"]
    sections = (
        Section("What came out", blocks=(Table(("", "figure"), rows),)),
        Section(
            "Over time",
            blocks=(
                curves(resident, "minutes", "resident memory, MB", "Resident memory of agent and upload over time"),
                curves(
                    {"frames": (minutes, [float(count) for count in samples["frames_a_minute"]])},
                    "minute",
                    "frames scored",
                    "Frames scored in each minute",
                ),
            ),
        ),
    )
    lead = (
        f"{settings['minutes']:g} minutes of the synthetic drive at {settings['rate']:g} frames a second, "
        f"{settings['failing']:.0%} of the upload's requests failing; {report['machine']['cpu']}, "
        f"{report['machine']['usable_cores']} cores."
    )
    write_page(Page("Twenty minutes on the vehicle" if settings["minutes"] >= 20 else "A soak", lead, sections), path)
