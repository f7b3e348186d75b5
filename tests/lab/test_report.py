"""The report: one page that stands alone and believes no text that it is given."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from experiments.lab.report import inline_svg, report_page
from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.sweep import sweep_of
from hushmill.errors import UserError
from tests.lab.experiments_here import KNOWN

EVIL = "<script>alert(1)</script><img src=x onerror='a'> & \" '"
FETCHING = {"src", "srcset", "action", "data", "poster", "background", "formaction", "xlink:href"}


class Page(HTMLParser):
    """Collects tags, ids, what could be fetched, and the text; complains of unclosed tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br", "img"):
            self._open.append(tag)
        self._note(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._note(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def _note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in FETCHING or name == "href":
                self.fetched.append(str(value))
            if name.startswith("on"):
                self.handlers.append(name)


def run_in(folder: Path, **table: Any) -> RunDirectory:
    asked = {
        "experiment": "coin",
        "replicates": 2,
        "seed": 77,
        "arms": [{"name": EVIL, "throws": 5}, {"name": "b", "throws": 60}],
        "figure": [
            {"name": "one", "x": "arm", "y": "wait_seconds", "title": EVIL},
            {"name": "two", "x": "arm", "y": "guess_bits", "y_label": EVIL},
        ],
    } | table
    run_sweep(sweep_of(asked), lambda _plan: folder, ThisProcess(), lambda *_: None, KNOWN)
    return RunDirectory.opened(folder)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, str]:
    run = run_in(tmp_path_factory.mktemp("report"))
    return run, report_page(run).decode()


def test_the_page_runs_nothing_and_fetches_nothing(report: tuple[RunDirectory, str]) -> None:
    _, text = report
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    assert page.handlers == []
    assert page.fetched != []  # the figures' own marks and letters
    assert all(where.startswith("#") for where in page.fetched)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_names_from_a_sweep_are_only_text(report: tuple[RunDirectory, str]) -> None:
    _, text = report
    page = Page(text)
    assert "<script>" not in text
    assert EVIL in page.words
    assert page.tags.count("h1") == 1


def test_every_figure_is_inside_with_ids_of_its_own(report: tuple[RunDirectory, str]) -> None:
    _, text = report
    page = Page(text)
    assert page.tags.count("svg") == 2
    assert len(page.ids) == len(set(page.ids))
    assert {where.removeprefix("#") for where in page.fetched} <= set(page.ids)
    clips = set(re.findall(r"url\(#([^)]+)\)", text))
    assert clips
    assert clips <= set(page.ids)


def test_it_has_all_measures_parameters_and_the_way_to_do_it_again(
    report: tuple[RunDirectory, str],
) -> None:
    run, text = report
    words = Page(text).words
    for row in run.rows():
        assert row.measure in words
        assert row.quality.value in words
    for key in run.plan.sweep.parameters:
        assert key in words
    assert run.plan.text in words
    assert run.provenance.code_sha256 in words
    assert "77" in words


def test_the_same_run_gives_the_same_page(report: tuple[RunDirectory, str]) -> None:
    run, text = report
    assert report_page(RunDirectory.opened(run.folder)).decode() == text


def test_a_report_needs_its_provenance(tmp_path: Path) -> None:
    run = run_in(tmp_path, figure={"x": "arm", "y": "wait_seconds"})
    (tmp_path / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"provenance\.json is missing"):
        report_page(run)


def test_ids_of_a_figure_are_renamed_wherever_they_are_named() -> None:
    svg = b'<?xml version="1.0"?><svg><metadata>x</metadata><g id="a" clip-path="url(#a)"/>'
    svg += b'<use xlink:href="#a"/></svg>\n'
    assert inline_svg(svg, "f1") == (
        '<svg><g id="f1-a" clip-path="url(#f1-a)"/><use xlink:href="#f1-a"/></svg>'
    )
