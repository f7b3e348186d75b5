"""Known bugs, planted in a copy of the tree, turn the tests red. `make plant` shows it in words."""

import pytest

from tests.plant_bugs import BUGS, Bug, show


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_turns_the_tests_red(bug: Bug) -> None:
    assert "::test_" in show(bug)
