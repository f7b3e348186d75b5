"""What a client or node refuses, before and after a restart."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.identifiers import Epoch
from hushmill.link import NEWEST
from pki import DocumentKeeper
from tests.pki.documents import body_of, chain, replaced, signed
from tests.pki.network import FIRST, START, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis
CHAIN = chain(NETWORK, 5)
HOUR = 3600.0


def keeper(*accepted: int, at: float = START) -> DocumentKeeper:
    """A keeper that took those documents of the chain, each in its own epoch."""
    made = DocumentKeeper(GENESIS, None)
    for index in accepted:
        assert made.accept(CHAIN[index][1], at + index * HOUR)
    return made


@pytest.fixture(params=["running", "restarted"])
def again(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def maybe_restarted(held: DocumentKeeper, again: str) -> DocumentKeeper:
    return held if again == "running" else DocumentKeeper(GENESIS, held.state())


def refusal(held: DocumentKeeper, data: bytes, wall: float) -> Drop:
    with pytest.raises(PeerError) as refused:
        held.accept(data, wall)
    return refused.value.reason


def exit_of(held: DocumentKeeper, wall: float) -> ExitCode:
    with pytest.raises(UserError) as refused:
        held.current(wall)
    return refused.value.exit_code


def test_accepts_a_chain_and_serves_each_in_its_epoch(again: str) -> None:
    held = maybe_restarted(keeper(0, 1, 2), again)
    assert held.current(START + 2 * HOUR) == CHAIN[2][0]
    assert not held.accept(CHAIN[2][1], START + 2 * HOUR)


def test_the_next_epochs_document_waits_for_its_epoch(again: str) -> None:
    held = keeper(0)
    assert held.accept(CHAIN[1][1], START + HOUR / 2)
    held = maybe_restarted(held, again)
    assert held.current(START + HOUR - 1) == CHAIN[0][0]
    assert held.current(START + HOUR) == CHAIN[1][0]


def test_refuses_an_older_document(again: str) -> None:
    held = maybe_restarted(keeper(0, 1, 2, 3), again)
    assert refusal(held, CHAIN[0][1], START + 3 * HOUR) is Drop.STALE
    assert refusal(held, CHAIN[1][1], START + 3 * HOUR) is Drop.STALE


def test_refuses_another_networks_document(again: str) -> None:
    other = small_network(network="other")
    held = maybe_restarted(keeper(0), again)
    assert refusal(held, chain(other, 2)[1][1], START + HOUR) is Drop.DOCUMENT


def test_refuses_another_networks_state() -> None:
    with pytest.raises(UserError) as refused:
        DocumentKeeper(small_network(network="other").genesis, keeper(0).state())
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_refuses_a_broken_chain(again: str) -> None:
    held = maybe_restarted(keeper(0, 1), again)
    fork = signed(NETWORK, body_of(NETWORK, FIRST + 2, CHAIN[0][0]))  # skips the held one
    body = body_of(NETWORK, FIRST + 2, CHAIN[1][0])
    wrong = signed(NETWORK, msgspec.structs.replace(body, previous=b"\x05" * 32))
    for data in (fork, wrong):
        assert refusal(held, data, START + 2 * HOUR) is Drop.DOCUMENT
    assert held.current(START + 2 * HOUR) == CHAIN[1][0]


def test_refuses_a_second_document_of_one_epoch(again: str) -> None:
    held = maybe_restarted(keeper(0), again)
    second = signed(NETWORK, replaced(body_of(NETWORK), 0, port=1))
    assert refusal(held, second, START) is Drop.DOCUMENT


def test_accepts_a_newer_document_after_a_gap() -> None:
    held = keeper(0)
    assert held.accept(CHAIN[3][1], START + 3 * HOUR)
    assert held.current(START + 3 * HOUR) == CHAIN[3][0]


def test_refuses_an_expired_document(again: str) -> None:
    held = maybe_restarted(DocumentKeeper(GENESIS, None), "running")
    assert refusal(held, CHAIN[0][1], START + 4 * HOUR) is Drop.STALE
    held = maybe_restarted(keeper(0), again)
    assert refusal(held, CHAIN[1][1], START + 5 * HOUR) is Drop.STALE


def test_works_to_the_end_of_the_third_epoch_after(again: str) -> None:
    held = maybe_restarted(keeper(0), again)
    assert held.current(START + 4 * HOUR - 1) == CHAIN[0][0]
    assert exit_of(held, START + 4 * HOUR) is ExitCode.NO_CONSENSUS


def test_nothing_held_is_no_consensus() -> None:
    assert exit_of(DocumentKeeper(GENESIS, None), START) is ExitCode.NO_CONSENSUS


def test_a_clock_two_hours_back_reopens_nothing(again: str) -> None:
    held = keeper(0)
    assert exit_of(held, START + 5 * HOUR) is ExitCode.NO_CONSENSUS
    held = maybe_restarted(held, again)
    assert exit_of(held, START + 3 * HOUR) is ExitCode.NO_CONSENSUS
    assert refusal(held, CHAIN[1][1], START + 3 * HOUR) is Drop.STALE


def test_a_clock_behind_the_document_stops(again: str) -> None:
    """Nobody has seen this machine's clock before, but the document shows the time."""
    held = DocumentKeeper(GENESIS, None)
    assert held.accept(CHAIN[2][1], START)  # two hours before its epoch
    held = maybe_restarted(held, again)
    with pytest.raises(UserError, match="clock") as refused:
        held.current(START)
    assert refused.value.exit_code is ExitCode.NO_CONSENSUS


def test_a_clock_two_hours_back_stops_though_the_document_serves(again: str) -> None:
    held = keeper(0)
    held.current(START + 2 * HOUR)
    held = maybe_restarted(held, again)
    with pytest.raises(UserError, match="clock") as refused:
        held.current(START)
    assert refused.value.exit_code is ExitCode.NO_CONSENSUS
    assert held.current(START + 2 * HOUR) == CHAIN[0][0]


def test_a_small_step_back_is_nothing() -> None:
    held = keeper(0)
    held.current(START + 100)
    assert held.current(START + 10) == CHAIN[0][0]


def test_takes_the_predecessor_that_the_newest_names(again: str) -> None:
    """One who joins late in an epoch gets the next document first."""
    held = DocumentKeeper(GENESIS, None)
    late = START + HOUR * 0.9
    assert held.wanted(late) == NEWEST
    assert held.accept(CHAIN[1][1], late)
    assert exit_of(held, late) is ExitCode.NO_CONSENSUS
    held = maybe_restarted(held, again)
    assert held.wanted(late) == FIRST
    other = signed(NETWORK, replaced(body_of(NETWORK), 0, port=1))
    assert refusal(held, other, late) is Drop.STALE
    assert held.accept(CHAIN[0][1], late)
    assert held.current(late) == CHAIN[0][0]
    assert held.wanted(late) is None


def test_asks_for_the_next_document_when_it_is_due() -> None:
    held = keeper(0)
    assert held.wanted(START + 10) is None
    assert held.wanted(START + HOUR * 0.6) == NEWEST
    assert held.accept(CHAIN[1][1], START + HOUR * 0.6)
    assert held.wanted(START + HOUR * 0.7) is None
    assert held.wanted(START + 3 * HOUR) == NEWEST


def test_gives_the_bytes_of_what_it_holds() -> None:
    held = keeper(0, 1)
    assert held.held_data() == (CHAIN[0][1], CHAIN[1][1])
    assert held.data_of(Epoch(FIRST)) == CHAIN[0][1]
    assert held.data_of(Epoch(FIRST + 2)) is None
    assert held.newest_data == CHAIN[1][1]


def test_a_changed_state_is_a_security_stop() -> None:
    state = bytearray(keeper(0, 1).state())
    for position in (0, 20, 200, len(state) - 1):
        state[position] ^= 1
        with pytest.raises(UserError) as refused:
            DocumentKeeper(GENESIS, bytes(state))
        assert refused.value.exit_code is ExitCode.SECURITY_STOP
        state[position] ^= 1


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_document_or_state_are_refused(data: bytes) -> None:
    held = DocumentKeeper(GENESIS, None)
    with pytest.raises(PeerError):
        held.accept(data, START)
    with pytest.raises(UserError):
        DocumentKeeper(GENESIS, data)
