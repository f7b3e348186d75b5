"""Four authorities in memory: documents appear, faults do not stop or split them."""

import msgspec
import pytest

from hushmill import codec
from hushmill.drops import Drop
from hushmill.identifiers import Epoch
from hushmill.link import (
    NEWEST,
    Accepted,
    DocumentFound,
    NotFound,
    Refusal,
    Refused,
    Share,
)
from pki.authority import TABLE, State
from pki.authority_events import DescriptorOffered, DocumentAsked, ShareArrived, VoteArrived
from pki.descriptor import Descriptor, SignedDescriptor, sign_descriptor
from pki.voting import NO_HEAD, ShareBody, SignedVote, VoteBody, sign_vote
from tests.pki.four_authorities import FourAuthorities
from tests.pki.network import FIRST, START, small_network

NETWORK = small_network()
HOUR = 3600.0
MIDDLE = START + HOUR / 2


@pytest.fixture
def four() -> FourAuthorities:
    return FourAuthorities(NETWORK)


def started(four: FourAuthorities) -> FourAuthorities:
    four.publish_descriptors()
    four.run_until(START + 1)
    return four


def test_first_document_appears_with_the_last_descriptor(four: FourAuthorities) -> None:
    *most, last = NETWORK.node_keys
    for number in most:
        for authority in range(4):
            four.give(authority, DescriptorOffered(1, NETWORK.descriptor(number)))
    four.run_until(START + 1000)
    assert not four.published
    for authority in range(4):
        four.give(authority, DescriptorOffered(1, NETWORK.descriptor(last)))
    assert len(four.documents(FIRST)) == 1
    assert {number for number, _, _ in four.published} == {0, 1, 2, 3}
    assert four.published[0][1].nodes[0].keys[0].epoch == FIRST


def test_next_document_appears_after_the_middle_and_is_linked(four: FourAuthorities) -> None:
    started(four)
    four.run_until(MIDDLE - 1)
    assert not four.documents(FIRST + 1)
    four.run_until(MIDDLE + 1)
    (digest,) = four.documents(FIRST)
    later = next(made for _, made, _ in four.published if made.epoch == FIRST + 1)
    assert (later.previous_epoch, later.previous) == (FIRST, digest)
    assert [key.epoch for key in later.nodes[0].keys] == [FIRST + n for n in (1, 2, 3, 4)]


def test_documents_go_on_for_a_day(four: FourAuthorities) -> None:
    for hour in range(24):
        four.run_until(START + hour * HOUR)
        four.publish_descriptors(first=FIRST + hour)
    for epoch in range(FIRST, FIRST + 24):
        assert len(four.documents(epoch)) == 1
    assert not four.drops


def test_one_silent_authority_does_not_stop_the_others(four: FourAuthorities) -> None:
    four.down.add(3)
    started(four)
    assert not four.documents(FIRST)  # the window for the fourth vote is open
    four.run_until(START + 400)
    assert len(four.documents(FIRST)) == 1
    four.run_until(MIDDLE + 400)
    assert len(four.documents(FIRST + 1)) == 1


def test_two_silent_authorities_stop_the_network(four: FourAuthorities) -> None:
    four.down.update((2, 3))
    started(four)
    four.run_until(START + 3 * HOUR)
    assert not four.published


def test_a_late_vote_changes_nothing(four: FourAuthorities) -> None:
    started(four)
    four.late.add(2)
    four.run_until(MIDDLE + 400)
    assert len(four.documents(FIRST + 1)) == 1
    four.release()
    assert len(four.documents(FIRST + 1)) == 1
    assert all(core.state is State.RESTING for core in four.cores)


def test_silent_late_and_restarted_authorities_agree(four: FourAuthorities) -> None:
    """Over five epochs each fault in turn, and one authority falls behind and catches up."""
    started(four)
    for hour in range(5):
        begin = START + hour * HOUR
        four.run_until(begin + 10)
        four.publish_descriptors(first=FIRST + hour)
        match hour:
            case 0:
                four.down.add(3)
            case 1:
                four.late.add(2)
            case 2:
                four.crash(1)
        four.run_until(begin + HOUR / 2 + 400)
        assert len(four.documents(FIRST + hour + 1)) == 1, hour
        four.release()
        for number in list(four.down):
            four.restart(number)
    newest = {core.published.epoch for core in four.cores if core.published is not None}
    assert newest == {FIRST + 5}
    assert all(len(four.documents(FIRST + n)) == 1 for n in range(6))


def test_an_authority_that_missed_a_document_gets_it_on_reconnection(
    four: FourAuthorities,
) -> None:
    four.down.add(0)
    started(four)
    four.run_until(START + 400)
    four.restart(0)
    published = four.cores[0].published
    assert published is not None
    assert published.epoch == FIRST


def test_heals_after_a_long_stop_within_one_epoch(four: FourAuthorities) -> None:
    started(four)
    four.down.update(range(4))
    four.run_until(START + 10 * HOUR)
    for number in range(4):
        four.restart(number)
    four.publish_descriptors(first=FIRST + 10)
    four.run_until(START + 11 * HOUR)
    assert four.documents(FIRST + 11)


def test_crash_between_record_and_share_gives_no_second_signature(four: FourAuthorities) -> None:
    """The others' votes never reach it again, so its second document would be another."""
    started(four)
    digest = b"\x07" * 32  # what it recorded before the crash
    assert four.stores[1].record(Epoch(FIRST + 1), digest)
    four.crash(1)
    four.restart(1)
    four.run_until(MIDDLE + 400)
    shares = [m.data for number, m in four.said if number == 1 and isinstance(m, Share)]
    assert [codec.decode(data, ShareBody, 1 << 13).epoch for data in shares] == [FIRST]
    assert len(four.documents(FIRST + 1)) == 1  # of the other three
    assert four.cores[1].state is State.RESTING
    assert four.stores[1].newest_before(Epoch(FIRST + 2)) == (FIRST + 1, digest)


def test_restart_with_another_vote_set_signs_nothing(four: FourAuthorities) -> None:
    four.down.update((0, 1, 2))  # it is alone; the others' votes come from the test
    core = four.cores[3]
    for number in NETWORK.node_keys:
        four.give(3, DescriptorOffered(1, NETWORK.descriptor(number)))
    old = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
    for authority in range(3):
        four.give(3, VoteArrived(vote_of(authority, old)))
    assert core.state is State.SIGNED
    signed = [message for number, message in four.said if isinstance(message, Share)]
    assert len(signed) == 1

    four.crash(3)
    four.restart(3)
    new = [NETWORK.descriptor(number, made_at=START + 5) for number in NETWORK.node_keys]
    renewed = [NETWORK.descriptor(number, count=3, made_at=START + 5) for number in (1, 2)]
    for authority in range(3):
        four.give(3, VoteArrived(vote_of(authority, renewed + new[2:])))
    assert four.cores[3].state is State.BARRED
    assert [m for _, m in four.said if isinstance(m, Share)] == signed


def vote_of(authority: int, descriptors: list[bytes], epoch: int = FIRST) -> bytes:
    body = VoteBody(
        network_id=NETWORK.genesis.network_id,
        authority=authority,
        epoch=Epoch(epoch),
        published=NO_HEAD,
        signed=NO_HEAD,
        descriptors=tuple(descriptors),
    )
    return sign_vote(body, NETWORK.authority_keys[authority])


def test_wrong_share_is_dropped_and_not_counted(four: FourAuthorities) -> None:
    """Two honest shares and a forged third are no quorum."""
    four.late.add(1)
    four.down.add(2)
    four.down.add(3)
    started(four)
    own = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
    for authority in (2, 3):
        four.give(0, VoteArrived(vote_of(authority, own)))
    four.release()
    assert four.cores[0].state is State.SIGNED
    share = next(m.data for number, m in four.said if number == 0 and isinstance(m, Share))
    as_two = share.replace(b"\x00\xce", b"\x02\xce", 1)  # authority 0 → 2
    assert as_two != share
    four.give(0, ShareArrived(2, as_two))
    assert four.cores[0].state is State.SIGNED
    assert not four.published
    assert four.drops == [Drop.DOCUMENT]


def one_alone(four: FourAuthorities) -> dict[int, bytes]:
    """Authority 0 has signed and waits for shares; the right ones of 1, 2 and 3."""
    started(four)
    own = {n: m.data for n, m in four.said if isinstance(m, Share)}
    four.cores[0] = FourAuthorities(NETWORK).cores[0]
    four.published.clear()
    four.down.update((1, 2, 3))
    four.now = float(START)
    four.publish_descriptors()
    held = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
    for authority in (1, 2, 3):
        four.give(0, VoteArrived(vote_of(authority, held)))
    assert four.cores[0].state is State.SIGNED
    assert not four.drops
    return own


def junk_share(data: bytes, **fields: object) -> bytes:
    share = codec.decode(data, ShareBody, 1 << 13)
    return codec.encode(msgspec.structs.replace(share, **fields))


def test_share_counts_only_over_its_own_link(four: FourAuthorities) -> None:
    right = one_alone(four)
    for source in (0, 2, 3, 7):
        four.give(0, ShareArrived(source, right[1]))
    assert four.drops == [Drop.DOCUMENT] * 4
    assert not four.published
    four.give(0, ShareArrived(1, right[1]))
    four.give(0, ShareArrived(2, right[2]))
    assert four.cores[0].state is State.RESTING


def test_early_share_is_not_replaced_by_later_junk(four: FourAuthorities) -> None:
    """They come before the own document is there to check them with."""
    right = one_alone(four)
    four.cores[0] = FourAuthorities(NETWORK).cores[0]
    for authority in (1, 2):
        four.give(0, ShareArrived(authority, right[authority]))
        four.give(0, ShareArrived(authority, junk_share(right[1], authority=authority)))
        four.give(0, ShareArrived(authority, junk_share(right[authority], digest=bytes(32))))
    four.publish_descriptors()
    held = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
    for authority in (1, 2, 3):
        four.give(0, VoteArrived(vote_of(authority, held)))
    assert four.cores[0].state is State.RESTING
    assert not four.drops


@pytest.mark.parametrize("fields", [{"signature": bytes(3373)}, {"digest": b"\x07" * 32}])
def test_wrong_share_is_forgotten_and_the_right_one_counts(
    four: FourAuthorities, fields: dict[str, object]
) -> None:
    right = one_alone(four)
    for authority in (1, 2):
        four.give(0, ShareArrived(authority, junk_share(right[authority], **fields)))
    assert four.drops == [Drop.DOCUMENT] * 2
    for authority in (1, 2):
        four.give(0, ShareArrived(authority, right[authority]))
    assert four.cores[0].state is State.RESTING


def test_vote_that_is_held_is_recognised_unverified(
    four: FourAuthorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    four.down.update((1, 2, 3))
    four.publish_descriptors()
    held = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
    first = vote_of(1, held)
    forged = codec.decode(first, SignedVote, 1 << 20)
    forged = msgspec.structs.replace(forged, signature=bytes(3373))
    four.give(0, VoteArrived(codec.encode(forged)))
    assert four.drops == [Drop.DOCUMENT]
    four.give(0, VoteArrived(first))

    def verify(*_: object) -> None:
        raise AssertionError("a held vote was verified")

    monkeypatch.setattr("pki.authority.verify_vote", verify)
    others = [first, vote_of(1, held[1:]), codec.encode(forged), vote_of(0, held)]
    for data in others:
        four.give(0, VoteArrived(data))
    assert four.drops == [Drop.DOCUMENT]
    assert four.cores[0].state is State.VOTING


def test_answers_fetches(four: FourAuthorities) -> None:
    four.give(0, DocumentAsked(7, NEWEST))
    assert four.replies[-1].session == 7
    assert isinstance(four.replies[-1].message, NotFound)
    started(four)
    four.give(0, DocumentAsked(8, NEWEST))
    found = four.replies[-1].message
    assert isinstance(found, DocumentFound)
    four.give(0, DocumentAsked(8, Epoch(FIRST)))
    assert four.replies[-1].message == found
    four.give(0, DocumentAsked(8, Epoch(FIRST + 1)))
    assert isinstance(four.replies[-1].message, NotFound)


def test_descriptor_replies(four: FourAuthorities) -> None:
    def offered(data: bytes) -> object:
        four.give(0, DescriptorOffered(1, data))
        return four.replies[-1].message

    first = NETWORK.descriptor(1)
    assert offered(first) == Accepted()
    assert offered(first) == Accepted()
    assert offered(NETWORK.descriptor(1, count=3)) == Refused(Refusal.TOO_OLD)  # same moment
    assert offered(NETWORK.descriptor(1, made_at=START + 1)) == Accepted()
    assert offered(first) == Refused(Refusal.TOO_OLD)
    assert offered(NETWORK.descriptor(1, made_at=START + 1000)) == Refused(Refusal.INVALID)
    assert offered(b"junk") == Refused(Refusal.INVALID)
    assert four.cores[0].descriptor_count == 1


def test_another_nodes_key_is_refused(four: FourAuthorities) -> None:
    victim = NETWORK.descriptor(1)
    body = codec.decode(codec.decode(victim, SignedDescriptor, 1 << 14).body, Descriptor, 1 << 14)
    own = NETWORK.descriptor(2)
    own_body = codec.decode(codec.decode(own, SignedDescriptor, 1 << 14).body, Descriptor, 1 << 14)
    stolen = sign_descriptor(
        msgspec.structs.replace(own_body, keys=body.keys), list(NETWORK.node_keys.values())[1]
    )
    four.give(0, DescriptorOffered(1, victim))
    four.give(0, DescriptorOffered(1, stolen))
    assert four.replies[-1].message == Refused(Refusal.INVALID)
    assert four.drops == [Drop.DOCUMENT]


def test_every_state_has_a_way_out() -> None:
    for state in State:
        rows = [row for row in TABLE if row.state is state]
        assert any(State.WAITING in row.leads_to for row in rows)


def test_every_state_can_be_reached() -> None:
    reached = {State.WAITING}
    for _ in State:
        reached |= {to for row in TABLE if row.state in reached for to in row.leads_to}
    assert reached == set(State)
