"""The self-contained page."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.report import Facts, Figure, Gallery, Legend, Mark, Page, Section, Table, Tiles, render, write_page

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
    assert "://" not in render(page())


def test_page_images_have_texts_and_cells_are_formatted() -> None:
    outline = Outline(render(page()))
    assert outline.alts == ["a frame", "its classes"]
    assert outline.cells == ["a", "0.500", "b", "–", "c", "–", "d", "364\u202f127"]


def test_page_foreign_text_is_escaped() -> None:
    text = render(page(title="<script>alert(1)</script>", lead='"quoted" & <b>bold</b>'))
    assert text.count("<script") == 1 and "<b>bold" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_page_lets_no_script_run_but_its_own() -> None:
    text = render(page())
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text


def test_page_warnings_stand_before_the_summary_and_both_before_the_sections() -> None:
    text = render(page(warnings=("not <b>steady</b>",), summary=("it is quick",), eyebrow="benchmark"))
    places = [text.index(part) for part in ("benchmark", "Lead", "not &lt;b&gt;steady", "it is quick", "First part")]
    assert places == sorted(places)


def test_page_facts_leave_out_what_is_not_known_and_tiles_are_shown() -> None:
    blocks = (Facts((("data", "camvid"), ("GPU", None))), Tiles((("mIoU", "61.2 %", "on #val"),)))
    text = render(page(sections=(Section("Only", "", blocks),)))
    assert "<dt>data</dt><dd>camvid</dd>" in text and "GPU" not in text
    assert "<span>mIoU</span><b>61.2 %</b><span>on #val</span>" in text


def test_page_marks_of_a_plot_are_given_to_the_script_as_text() -> None:
    figure = Figure("<svg></svg>", "a curve", marks=(Mark(0, 1.0, 2.04, 'a "b" <c>'),))
    text = render(page(sections=(Section("Only", "", (figure,)),)))
    assert 'data-marks="[[0, 1.0, 2.0, &#34;a \\&#34;b\\&#34; &lt;c&gt;&#34;]]"' in text


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
