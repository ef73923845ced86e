"""What fp16 and int8 cost a checkpoint, by the commands a user types: export in each precision, then parity.

    python -m benchmarks.precision.run MODEL.edgeseg --data cityscapes:PATH#val --calibrate cityscapes:PATH#train

Keeps every command's own report in ``benchmarks/results/precision/NAME.json``, and the table beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic

RESULTS = Path(__file__).parent.parent / "results" / "precision"
COLUMNS = ("precision", "ΔmIoU, points", "equal pixels", "region overlap", "rank ρ", "mean abs Δlogit", "verdict")


def edgeseg(*arguments: object) -> dict[str, Any]:
    """Report of one command; a parity that fails still has one."""
    command = [sys.executable, "-m", "edgeseg", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def run(model: Path, data: str, calibrate: str, out: Path) -> dict[str, Any]:
    """Exports and comparisons: name → report."""
    common = ("export", model, "--out", out, "--emit", "logits", "--data", data)
    steps = {"export fp32": edgeseg(*common)}
    for precision, options in (("fp16", ()), ("int8", ("--calibrate", calibrate))):
        steps[f"export {precision}"] = edgeseg(*common, "--precision", precision, *options)
        graphs = (Path(steps[f"export {name}"]["path"]) for name in ("fp32", precision))
        steps[f"parity {precision}"] = edgeseg("parity", *graphs, "--data", data)
    return steps


def table(steps: dict[str, Any]) -> str:
    """The comparisons in Markdown."""
    rows = [
        (
            precision,
            f"{100 * report['delta_miou']:+.3f}" if report["delta_miou"] is not None else "no labels",
            f"{report['argmax_agreement']:.3%}",
            f"{report['region_overlap']:.3f}",
            "–" if report["frame_rank_correlation"] is None else f"{report['frame_rank_correlation']:.4f}",
            f"{report['mean_abs_logit_error']:.4f} of {report['mean_abs_logit']:.2f}",
            report["verdict"],
        )
        for precision in ("fp16", "int8")
        for report in [steps[f"parity {precision}"]]
    ]
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="Checkpoint")
    parser.add_argument("--data", required=True, help="Labeled frames to compare on")
    parser.add_argument("--calibrate", required=True, help="Frames that give the ranges of int8")
    parser.add_argument("--out", type=Path, default=Path("runs/precision"))
    parser.add_argument("--name", help="Of the result; default: the checkpoint's")
    given = parser.parse_args()
    steps = run(given.model, given.data, given.calibrate, given.out)
    result = {"machine": describe_machine(), "command": sys.argv[1:], "steps": steps}
    target = RESULTS / f"{given.name or given.model.stem}.json"
    write_atomic(target, json.dumps(result, indent=2, default=str) + "\n")
    write_atomic(target.with_suffix(".md"), table(steps))


if __name__ == "__main__":
    main()
