"""Reports: tables, plots, one self-contained HTML page."""

from edgeseg.report.page import Facts, Figure, Gallery, Legend, Mark, Page, Section, Table, Tiles, render, write_page

__all__ = [
    "Facts",
    "Figure",
    "Gallery",
    "Legend",
    "Mark",
    "Page",
    "Section",
    "Table",
    "Tiles",
    "render",
    "write_page",
]
