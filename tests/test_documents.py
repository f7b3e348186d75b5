"""The documents' claims name tests that exist: threat model, seed coverage, spec, compositions."""

import ast
import re
from pathlib import Path

import pytest

from hushmill.crypto import Label

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REFERENCE = re.compile(r"tests/[\w/]+\.py::test_\w+")
CELL = re.compile(r"^(protected \(.+\)|partly \(.+;.+\)|not protected)$")


def collected() -> dict[str, bool]:
    """Every test id of the tree, and whether it is skipped or expected to fail."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
                name = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                found[name] = "mark.skip" in marks or "xfail" in marks
    return found


TESTS = collected()


def faults_of(text: str) -> list[str]:
    """The references in `text` that name no test, or one that is skipped."""
    return [name for name in REFERENCE.findall(text) if TESTS.get(name, True)]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_names_only_tests_that_exist(path: Path) -> None:
    assert faults_of(path.read_text(encoding="utf-8")) == []


def test_every_cannot_names_a_passing_test() -> None:
    cannots = [line for line in lines_of(DOCS / "threat-model.md") if line.startswith("- Cannot")]
    assert len(cannots) >= 20
    assert [line for line in cannots if not REFERENCE.search(line)] == []


def test_every_cell_of_the_matrix_is_a_verdict() -> None:
    rows = [line for line in lines_of(DOCS / "threat-model.md") if line.startswith("| ")]
    cells = [cell.strip() for row in rows[1:] for cell in row.strip("| ").split(" | ")[1:]]
    assert len(rows) > 8
    assert len(cells) == (len(rows) - 1) * (rows[0].count("|") - 2)
    assert [cell for cell in cells if not CELL.match(cell)] == []
    assert [cell for cell in cells if cell[0] == "p" and not REFERENCE.search(cell)] == []


def test_every_row_of_the_seed_names_what_shows_it_or_says_not_built() -> None:
    rows = [line for line in lines_of(DOCS / "seed-coverage.md") if line.startswith("| ")][1:]
    assert len(rows) >= 60
    for row in rows:
        asked, shown = row.strip("| ").split(" | ")
        shows = REFERENCE.search(shown) or re.search(r"`(hushmill|make) ", shown)
        document = list(re.findall(r"`([\w/.-]+\.md)`", shown))
        assert all((ROOT / name).exists() for name in document), row
        assert shows or document or "not built yet" in shown, asked


def test_every_label_of_a_derivation_stands_in_a_spec() -> None:
    spec = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "spec").glob("*.md"))
    assert [label.value for label in Label if label.value.decode() not in spec] == []


def test_sees_a_claim_without_its_test() -> None:
    assert faults_of("see tests/test_documents.py::test_that_nobody_wrote") != []
    assert faults_of("see tests/test_documents.py::test_sees_a_claim_without_its_test") == []
