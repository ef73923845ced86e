"""What lower precisions cost a checkpoint, by the commands a user types: export in each, then parity with fp32.

    python -m benchmarks.precision.run MODEL.edgeseg --name NAME --data camvid:PATH#val --calibrate camvid:PATH#train

Every report is kept in ``--out`` and not made again; ``--precision`` adds rows one by one. The reports go to
``benchmarks/results/precision/NAME.json``, and ``table.md`` beside them has a row for each.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic

RESULTS = Path(__file__).parent.parent / "results" / "precision"
COLUMNS = (
    "frames",
    "precision",
    "ΔmIoU, points",
    "equal pixels, %",
    "region overlap",
    "rank ρ",
    "mean abs Δlogit",
    "kept higher",
    "run",
)
ROWS = {
    "fp16": ("--precision", "fp16"),
    "int8": ("--precision", "int8"),
    "int8-fp16": ("--precision", "int8-fp16"),
    "bf16, OpenVINO": ("--precision", "bf16", "--openvino"),
    "int8, OpenVINO (NNCF)": ("--precision", "int8", "--openvino"),
}


def edgeseg(kept: Path, *arguments: object) -> dict[str, Any]:
    """Report of one command, made once; a parity that fails still has one."""
    if not kept.exists():
        command = [sys.executable, "-m", "edgeseg", *map(str, arguments), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, json.dumps({"command": command[2:], **json.loads(done.stdout)}, indent=2) + "\n")
    report: dict[str, Any] = json.loads(kept.read_text())
    return report


def run(model: Path, data: str, calibrate: str, out: Path, rows: list[str]) -> dict[str, Any]:
    """Exports and comparisons: name → report."""
    common = ("export", model, "--out", out, "--emit", "logits", "--data", data)
    steps = {"export fp32": edgeseg(out / "export fp32.json", *common)}
    reference = Path(steps["export fp32"]["path"])
    for row in rows:
        options = ROWS[row]
        source = ("export", reference, "--out", out) if "--openvino" in options else common
        report = edgeseg(out / f"export {row}.json", *source, *options, "--calibrate", calibrate)
        steps[f"export {row}"] = report
        steps[f"parity {row}"] = edgeseg(
            out / f"parity {row}.json", "parity", reference, report["path"], "--data", data
        )
    return steps


def table(name: str, steps: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The comparisons as cells."""
    for row in (row for row in ROWS if f"parity {row}" in steps):
        report, made = steps[f"parity {row}"], steps[f"export {row}"]["parity"]
        kept = list(made.get("kept_fp32") or made.get("kept_fp16") or {})
        yield (
            f"{name}, {report['frames']}",
            row,
            f"{100 * report['delta_miou']:+.3f}" if report["delta_miou"] is not None else "no labels",
            f"{100 * report['argmax_agreement']:.3f}",
            f"{report['region_overlap']:.3f}",
            "–" if report["frames"] < 10 else f"{report['frame_rank_correlation']:.4f}",
            f"{report['mean_abs_logit_error']:.3f} of {report['mean_abs_logit']:.2f}",
            ", ".join(kept) or "–",
            report["models"][1]["run"],
        )


def all_tables(folder: Path) -> str:
    """One table of every recorded file."""
    found = [(path.stem, json.loads(path.read_text())["steps"]) for path in sorted(folder.glob("*.json"))]
    rows = [cells for name, steps in found for cells in table(name, steps)]
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def portable(text: str, specs: tuple[str, ...], model: Path, out: Path) -> str:
    """The text without this machine's paths."""
    for spec in specs:
        layout, _, path = re.sub(r"#.*$", "", spec).partition(":")
        text = text.replace(path, layout.upper())
    for path_, name in ((out, "RUN"), (model.parent, "MODELS")):
        text = text.replace(str(path_.resolve()), name).replace(str(path_), name)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="Checkpoint")
    parser.add_argument("--name", required=True, help="Of the result")
    parser.add_argument("--data", required=True, help="Labeled frames to compare on")
    parser.add_argument("--calibrate", required=True, help="Other frames, for ranges and for the search")
    parser.add_argument("--precision", action="append", choices=ROWS, help="Rows; default: all")
    parser.add_argument("--out", type=Path, default=Path("runs/precision"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    out = given.out / given.name
    steps = run(given.model, given.data, given.calibrate, out, given.precision or list(ROWS))
    text = json.dumps({"machine": describe_machine(), "steps": steps}, indent=2)
    given.results.mkdir(parents=True, exist_ok=True)
    specs = (given.data, given.calibrate)
    write_atomic(given.results / f"{given.name}.json", portable(text, specs, given.model, out) + "\n")
    write_atomic(given.results / "table.md", all_tables(given.results))


if __name__ == "__main__":
    main()
