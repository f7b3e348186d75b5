"""Known bugs, planted in a copy of the tree, turn the tests red. `make plant` shows it in words."""

import pytest

from tests.plant_bugs import BUGS, Bug, show


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(bug, id=bug.name, marks=[pytest.mark.soak] if bug.takes_long else [])
        for bug in BUGS
    ],
)
def test_a_planted_bug_turns_the_tests_red(bug: Bug) -> None:
    assert "::test_" in show(bug)
