"""The self-contained page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.report import Figure, Gallery, Legend, Page, Section, Table, render, write_page

PIXEL = "data:image/png;base64,iVBORw0KGgo="


class Outline(HTMLParser):
    """Collects what a page refers to, its images' texts and its cells; fails on tags that do not close."""

    VOID = {"meta", "img", "rect", "path", "use"}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.alts: list[str | None] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.references += [values[key] or "" for key in ("href", "src") if key in values]
        if tag == "img":
            self.alts.append(values.get("alt"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def page(**parts: object) -> Page:
    blocks = (
        Table(("model", "mIoU"), (("a", 0.5), ("b", None), ("c", float("nan")), ("d", 364127)), strong=(0,)),
        Gallery(((Figure(PIXEL, "a frame", "frame 1"), Figure(PIXEL, "its classes")),)),
        Legend((("road", (128, 64, 128)),)),
        Figure('<svg role="img"><path d="M0 0"/></svg>', "a curve", "loss"),
    )
    sections = (Section("First part", "Words.", blocks), Section("Second"), Section("Third"))
    return Page(**{"title": "Title", "lead": "Lead", "sections": sections, "footer": "made here", **parts})  # type: ignore[arg-type]


def test_page_refers_to_nothing_outside_itself() -> None:
    references = Outline(render(page())).references
    assert all(r.startswith(("data:", "#")) for r in references)
    assert "#first-part" in references
    assert "http" not in render(page())


def test_page_images_have_texts_and_cells_are_formatted() -> None:
    outline = Outline(render(page()))
    assert outline.alts == ["a frame", "its classes"]
    assert outline.cells == ["a", "0.500", "b", "–", "c", "–", "d", "364\u202f127"]


def test_page_foreign_text_is_escaped() -> None:
    text = render(page(title="<script>alert(1)</script>", lead='"quoted" & <b>bold</b>'))
    assert "<script" not in text and "<b>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_page_is_readable_on_a_small_screen_and_in_the_dark() -> None:
    text = render(page())
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text and "@media (max-width" in text


def test_page_written_whole(tmp_path: Path) -> None:
    write_page(page(), tmp_path / "deep" / "page.html")
    assert (tmp_path / "deep" / "page.html").read_text(encoding="utf-8") == render(page())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["page.html"]


def test_page_unwritable_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        write_page(page(), tmp_path / "file" / "page.html")
