"""A derivation that no specification names is one that nobody reviewed."""

from pathlib import Path

import pytest

from hushmill.crypto import Label

SPEC = Path(__file__).parents[2] / "docs" / "spec"


@pytest.mark.parametrize("label", list(Label), ids=lambda label: label.name)
def test_a_label_stands_in_a_specification(label: Label) -> None:
    pages = [path.name for path in SPEC.glob("*.md") if label.value.decode() in path.read_text()]
    assert pages, f"{label.value.decode()} is in no page of docs/spec"
