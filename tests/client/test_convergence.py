"""Loss, doubling, reordering and crashes between any two transactions: nothing lost or doubled."""

import pytest

from client import ContactState, MessageState, Text
from client.ratchet import KEY_BYTES
from client.session import Session
from experiments.simnet.seeded import SeededRandomness
from hushmill.randomness import below
from tests.client.street import House, PowerCutError, Street, friends, two_people


def say(house: House, contact: str, text: str) -> bool:
    """Whether the command answered: only then is the message promised."""
    try:
        house.messenger.send(contact, Text(text), house.street.now)
    except PowerCutError:
        house.crash()
        return False
    house.acted()
    return True


@pytest.mark.parametrize("loss", [0.2, 0.3])
def test_converges_in_order_under_loss_doubling_and_reordering(loss: float) -> None:
    street, alice, bob = friends(int(loss * 100))
    street.weather.loss = loss
    street.weather.doubling = 0.2
    street.weather.lateness = 4.0
    for number in range(12):
        size = 3000 if number % 4 == 0 else 1
        assert say(alice, "bob", f"a{number}" * size)
        assert say(bob, "alice", f"b{number}")
        street.run_for(3)
    assert street.run_until(lambda: len(bob.texts) == len(alice.texts) == 12, 900)
    assert [text[:3].rstrip("a") for text in bob.texts] == [
        f"a{number}"[:3] for number in range(12)
    ]
    assert alice.texts == [f"b{number}" for number in range(12)]
    assert not any(view.gap or view.late for view in bob.shown + alice.shown)
    street.weather.loss = 0.0
    assert street.run_until(
        lambda: (
            {view.state for view in alice.messenger.sent()}
            == {view.state for view in bob.messenger.sent()}
            == {MessageState.DELIVERED}
        ),
        900,
    )


@pytest.mark.parametrize("seed", range(12))
def test_crashes_between_any_two_transactions_lose_and_double_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the invitation on, each side dies every few transactions, before or after the commit.
    Recipients log what they are given under which ratchet key and number."""
    opened: dict[bytes, set[bytes]] = {}
    decrypt = Session.decrypt

    def logged(self: Session, message: bytes) -> bytes:
        opened.setdefault(message[:KEY_BYTES] + message[KEY_BYTES + 4 :][:4], set()).add(message)
        return decrypt(self, message)

    monkeypatch.setattr(Session, "decrypt", logged)
    rng = SeededRandomness(seed, "crashes")
    street, alice, bob = two_people(seed)
    street.weather.loss = 0.1
    promised: dict[str, list[str]] = {"alice": [], "bob": []}
    invitation = alice.messenger.invite("bob", street.now)
    alice.acted()
    bob.messenger.add(invitation.text(), "alice", street.now)
    bob.acted()
    for number in range(10):
        for house, other in ((alice, bob), (bob, alice)):
            house.crashes_before_commit = below(rng, 2) == 0
            house.commits_left = below(rng, 25)
            text = f"{house.name} {number}"
            if say(house, other.name, text):
                promised[other.name].append(text)
        street.run_for(4)
    crashes = alice.starts + bob.starts - 2
    assert crashes >= 6
    for house in (alice, bob):
        house.commits_left = None
    street.weather.loss = 0.0
    assert street.run_until(lambda: is_settled(street, alice, bob), 900)
    for house in (alice, bob):
        stored = [view.text for view in house.messenger.inbox()]
        assert holds_in_order(stored, promised[house.name])
        assert len(stored) == len(set(stored))
        orders = [view.order for view in house.messenger.inbox()]
        assert orders == list(range(1, len(orders) + 1))
    assert {len(messages) for messages in opened.values()} == {1}


def holds_in_order(stored: list[str], promised: list[str]) -> bool:
    """A command that died after its commit was not answered, but its message is kept: it may be
    there too, in its place."""
    rest = iter(stored)
    return all(text in rest for text in promised)


def is_settled(street: Street, alice: House, bob: House) -> bool:
    if alice.state_of("bob") is not ContactState.ACTIVE:
        return False
    if bob.state_of("alice") is not ContactState.ACTIVE:
        return False
    views = alice.messenger.sent() + bob.messenger.sent()
    return all(view.state is MessageState.DELIVERED for view in views)


def test_one_deposit_id_never_carries_two_bodies() -> None:
    """Over crashes, every deposit that leaves twice is byte for byte the same: no fragment and no
    acknowledgement is ever sealed anew under a used nonce."""
    for seed in range(4):
        rng = SeededRandomness(seed, "crashes")
        street, alice, bob = friends(seed)
        bodies: dict[bytes, set[bytes]] = {}
        carry = street.carry

        def watched(
            first: int, raw: bytes, carry: object = carry, bodies: dict[bytes, set[bytes]] = bodies
        ) -> None:
            deposit = street.open(first, raw)[2]  # type: ignore[arg-type]  # noqa: B023
            bodies.setdefault(deposit.deposit, set()).add(deposit.body)
            carry(first, raw)  # type: ignore[operator]

        street.carry = watched  # type: ignore[method-assign]
        street.weather.loss = 0.3
        for number in range(8):
            for house, other in ((alice, "bob"), (bob, "alice")):
                house.crashes_before_commit = below(rng, 2) == 0
                house.commits_left = below(rng, 15)
                say(house, other, f"{number}" * 4000)
            street.run_for(8)
        assert alice.starts + bob.starts > 6
        assert max(len(some) for some in bodies.values()) == 1
        assert len(bodies) > 150
