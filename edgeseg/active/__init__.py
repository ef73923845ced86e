"""Active learning, simulated: an oracle answers from ground truth what a method asks for, round by round."""

from edgeseg.active.loop import run
from edgeseg.active.page import lead, write_report
from edgeseg.active.rows import ActiveReport, collect
from edgeseg.active.settings import ActiveSettings
from edgeseg.active.tables import round_table

__all__ = ["ActiveReport", "ActiveSettings", "collect", "lead", "round_table", "run", "write_report"]
