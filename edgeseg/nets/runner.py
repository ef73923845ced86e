"""Runs a checkpoint by torch, with the deployed graph's outputs and the logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgeseg.errors import DataError
from edgeseg.nets.checkpoint import load_checkpoint
from edgeseg.nets.deployed import DeployedGraph
