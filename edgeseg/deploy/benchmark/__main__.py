"""One row in a process of its own: ``python -m edgeseg.deploy.benchmark JOB RESULT`` (JSON files)."""

import sys
from pathlib import Path

from edgeseg.deploy.benchmark.row import main

main(Path(sys.argv[1]), Path(sys.argv[2]))
