"""The whole loop on drives that the package draws itself: teachers, cache, students, export, vehicle, one page."""

from edgeseg.demo.loop import run
from edgeseg.demo.results import DemoReport

__all__ = ["DemoReport", "run"]
