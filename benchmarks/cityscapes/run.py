"""The published Cityscapes ENet through the commands a user types: import, eval, export, bench, score.

    python -m benchmarks.cityscapes.run PATH/TO/cityscapes PATH/TO/enet_cityscapes_torch7.net

Keeps every command's own report in ``benchmarks/results/cityscapes/summary.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic

HERE = Path(__file__).parent


def edgeseg(*arguments: object) -> dict[str, Any]:
    """Report of one command."""
    command = [sys.executable, "-m", "edgeseg", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def run(data: str, network: Path, out: Path) -> dict[str, Any]:
    """All commands in order: name → report."""
    model, exported = out / "enet-cityscapes.edgeseg", out / "export"
    steps = {
        "import": edgeseg("import", network, "--format", "enet-torch7", "--out", model),
        "eval checkpoint": edgeseg("eval", model, "--data", data),
        "export": edgeseg("export", model, "--out", exported, "--data", data),
    }
    graph = next(exported.glob("*.onnx"))
    steps["eval exported"] = edgeseg("eval", graph, "--data", data)
    steps["bench"] = edgeseg("bench", graph, model, "--data", data, "--threads", 1, "--threads", 2)
    for strategy in ("entropy", "superpixel"):
        spool = out / f"spool-{strategy}"
        steps[f"score {strategy}"] = edgeseg(
            "score", data, "--model", graph, "--strategy", strategy, "--budget-frames", 3, "--spool", spool
        )
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Cityscapes in its own layout")
    parser.add_argument("network", type=Path, help="The ENet authors' Torch7 file")
    parser.add_argument("--out", type=Path, default=Path("runs/cityscapes"))
    parser.add_argument("--results", type=Path, default=HERE.parent / "results" / "cityscapes")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    steps = run(f"cityscapes:{given.data}#val", given.network, given.out)
    text = json.dumps({"machine": describe_machine(), "steps": steps}, indent=2)
    for path, name in ((given.data, "CITYSCAPES"), (given.network, "NETWORK"), (given.out, "RUN")):
        text = text.replace(str(path.resolve()), name).replace(str(path), name)
    given.results.mkdir(parents=True, exist_ok=True)
    write_atomic(given.results / "summary.json", text + "\n")


if __name__ == "__main__":
    main()
