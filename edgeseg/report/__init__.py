"""Reports: tables, plots, one self-contained HTML page."""

from edgeseg.report.page import Figure, Gallery, Legend, Page, Section, Table, render, write_page

__all__ = ["Figure", "Gallery", "Legend", "Page", "Section", "Table", "render", "write_page"]
