"""The calendar of keys. Spec: docs/spec/mixing.md (Keys)."""

import msgspec
import pytest

from hushmill.errors import UsageError
from hushmill.identifiers import Epoch
from hushmill.parameters import Parameters
from mixnode import KeySchedule

PARAMETERS = Parameters()  # epochs of 3600 s, allowance 60 s, grace 3 * 5 + 120 = 135 s
SCHEDULE = KeySchedule(PARAMETERS)
BOUNDARY = 1000 * 3600.0


@pytest.mark.parametrize(
    ("moment", "accepted"),
    [
        (BOUNDARY - 120.001, (999,)),
        (BOUNDARY - 120.0, (999, 1000)),
        (BOUNDARY, (999, 1000)),
        (BOUNDARY + 134.999, (999, 1000)),
        (BOUNDARY + 135.0, (1000,)),
    ],
)
def test_accepts_two_keys_only_around_a_boundary(moment: float, accepted: tuple[int, ...]) -> None:
    assert SCHEDULE.accepted(moment) == accepted
    assert all(SCHEDULE.accepts(Epoch(epoch), moment) for epoch in accepted)
    assert not SCHEDULE.accepts(Epoch(998), moment)
    assert not SCHEDULE.accepts(Epoch(1001), moment)


def test_keeps_a_key_until_its_grace_has_passed() -> None:
    assert SCHEDULE.first_kept(BOUNDARY + 134.999) == 999
    assert SCHEDULE.first_kept(BOUNDARY + 135.0) == 1000
    assert SCHEDULE.erased_at(Epoch(999)) == BOUNDARY + 135.0


def test_publishes_what_this_and_the_next_document_carry() -> None:
    assert SCHEDULE.published(BOUNDARY) == (1000, 1001, 1002, 1003, 1004)


def test_refuses_a_grace_of_half_an_epoch() -> None:
    KeySchedule(msgspec.structs.replace(PARAMETERS, epoch_seconds=271))
    with pytest.raises(UsageError):
        KeySchedule(msgspec.structs.replace(PARAMETERS, epoch_seconds=270))
