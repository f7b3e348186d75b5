"""The oracle's own judgement, and the product's half of it without the classical reference."""

import os

import pytest

from experiments.oracle.ours import Ours
from experiments.oracle.scenarios import (
    NOTES,
    SAYS_NOTHING,
    SHOWS_LENGTH,
    WHY,
    ZERO_RUN,
    padding_verdict,
    scenarios,
)
from hushmill.parameters import SuiteName


def test_zeros_in_a_padding_are_found_and_noise_is_not() -> None:
    noise = bytes(each | 1 for each in os.urandom(400))
    assert padding_verdict([noise] * 3) == SAYS_NOTHING
    assert padding_verdict([noise, noise + bytes(ZERO_RUN) + noise]) == SHOWS_LENGTH
    assert padding_verdict([noise + bytes(ZERO_RUN - 1) + noise]) == SAYS_NOTHING


@pytest.mark.parametrize("suite", ["x25519", "xwing"])
def test_the_product_gives_every_expected_verdict(suite: SuiteName) -> None:
    subject = Ours(suite)
    for scenario in scenarios():
        assert subject.verdict(scenario) == scenario.expected_of(suite), scenario.name
    assert all(subject.has_words(note.ours) for note in NOTES)


def test_every_difference_is_explained_and_nothing_else() -> None:
    differing = {each.what for each in scenarios() if each.classical}
    assert differing == set(WHY)
