"""The sources of the long-term adversaries: rounds, presence and links."""

import msgspec
import numpy as np
import pytest

from experiments.lab.sources.links import (
    LinkCover,
    LinkParameters,
    burst_times,
    simulate_links,
    slot_places,
)
from experiments.lab.sources.presence import PresenceParameters, simulate_presence
from experiments.lab.sources.rounds import (
    ProfileLaw,
    RoundMixing,
    RoundParameters,
    contact_flags,
    draw_rows,
    online_rounds,
    simulate_rounds,
)
from experiments.lab.trace import NOBODY, Event, Genre, Trace
from hushmill.errors import UserError

SMALL = RoundParameters(users=8, receivers=6, rounds=200, packets_per_round=5, contacts=3)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def times(trace: Trace, event: Event) -> np.ndarray:
    """[messages] when that happened to each message; NaN if it did not."""
    found = np.full(trace.messages, np.nan)
    rows = trace.kind == event
    found[trace.message[rows]] = trace.time[rows]
    return found


@pytest.mark.parametrize("mixing", list(RoundMixing))
def test_a_trace_is_in_order_of_cause(mixing: RoundMixing) -> None:
    trace = simulate_rounds(msgspec.structs.replace(SMALL, mixing=mixing), rng()).trace
    assert (np.diff(trace.time) >= 0).all()
    place = {
        event: np.full(trace.messages, -1)
        for event in (Event.SEND, Event.ARRIVE, Event.DEPART, Event.DELIVER)
    }
    for event, places in place.items():
        rows = np.flatnonzero(trace.kind == event)
        places[trace.message[rows]] = rows
    left = place[Event.DEPART] >= 0
    assert left.any()
    assert (place[Event.SEND] < place[Event.ARRIVE]).all()
    assert (place[Event.ARRIVE] < place[Event.DEPART])[left].all()
    assert (place[Event.DEPART] < place[Event.DELIVER])[left].all()


def test_a_threshold_round_leaves_whole_when_its_last_packet_is_in() -> None:
    trace = simulate_rounds(SMALL, rng()).trace
    sent, left = times(trace, Event.SEND), times(trace, Event.DEPART)
    place = sent.astype(int)
    assert (np.bincount(place) == 5).all()
    for turn in range(SMALL.rounds):
        assert set(left[place == turn]) == {sent[place == turn].max()}


def test_a_pool_lets_go_as_many_as_came_and_keeps_the_rest() -> None:
    pool = msgspec.structs.replace(SMALL, mixing=RoundMixing.POOL, kept=7)
    left = times(simulate_rounds(pool, rng()).trace, Event.DEPART)
    by_round = np.bincount(left[np.isfinite(left)].astype(int), minlength=200)
    assert by_round[0] == 0  # five of seven that are kept
    assert by_round[1] == 3
    assert (by_round[2:] == 5).all()
    assert np.isnan(left).sum() == 7


def test_batches_come_out_in_another_order_than_they_went_in() -> None:
    trace = simulate_rounds(SMALL, rng()).trace
    came = trace.message[trace.kind == Event.ARRIVE].reshape(-1, 5)
    went = trace.message[trace.kind == Event.DEPART].reshape(-1, 5)
    same_first = (came[:, 0] == went[:, 0]).mean()
    assert 0.1 < same_first < 0.3  # one in five


def test_payload_goes_by_the_profiles_and_cover_ends_unread() -> None:
    parameters = RoundParameters(users=4, receivers=4, contacts=2, rounds=4000, payload_share=0.5)
    done = simulate_rounds(parameters, rng())
    trace = done.trace
    sender, receiver = np.full(trace.messages, NOBODY), np.full(trace.messages, NOBODY)
    sends, ends = trace.kind == Event.SEND, trace.kind == Event.DELIVER
    sender[trace.message[sends]] = trace.label[sends]
    receiver[trace.message[ends]] = trace.label[ends]
    is_payload = trace.genre == Genre.PAYLOAD
    assert abs(is_payload.mean() - 0.5) < 0.01
    assert (receiver[~is_payload] == NOBODY).all()
    for person in range(4):
        went = receiver[is_payload & (sender == person)]
        shares = np.bincount(went, minlength=4) / len(went)
        assert np.abs(shares - done.profiles[person]).max() < 0.03


def test_constant_cover_hides_whether_a_person_talks() -> None:
    quiet = RoundParameters(users=5, rounds=2000, talking_share=0.1, is_cover_constant=True)
    covered = simulate_rounds(quiet, rng()).trace
    assert (covered.kind == Event.SEND).sum() == 20_000
    assert abs((covered.genre == Genre.PAYLOAD).mean() - 0.1) < 0.02
    bare = simulate_rounds(msgspec.structs.replace(quiet, is_cover_constant=False), rng()).trace
    assert (bare.genre == Genre.PAYLOAD).all()


def test_the_mix_sends_cover_of_its_own_to_everyone() -> None:
    covered = msgspec.structs.replace(SMALL, mix_cover_per_round=2.0)
    trace = simulate_rounds(covered, rng()).trace
    own = trace.genre == Genre.UNKNOWN
    assert abs(own.sum() / 200 - 2.0) < 0.3
    assert np.isnan(times(trace, Event.SEND)[own]).all()
    assert np.isfinite(times(trace, Event.DELIVER)[own]).all()


@pytest.mark.parametrize(("share", "session"), [(0.3, 10.0), (0.9, 2.0), (0.5, 0.0)])
def test_people_are_online_by_their_share_from_the_start(share: float, session: float) -> None:
    online = online_rounds(400, 2000, share, session, rng())
    assert abs(online.mean() - share) < 0.01
    assert abs(online[0].mean() - share) < 0.05
    ended = (online[:-1] & ~online[1:]).sum() / online[:-1].sum()
    leaves = 1 - share if session == 0 else min(1 / session, (1 - share) / share)
    assert abs(ended - leaves) < 0.01


def test_rows_are_drawn_by_their_shares() -> None:
    shares = np.array([[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]])
    drawn = draw_rows(shares, np.repeat([0, 1], 4000), rng())
    assert abs((drawn[:4000] == 2).mean() - 0.75) < 0.03
    assert set(drawn[:4000].tolist()) == {1, 2}
    assert set(drawn[4000:].tolist()) == {0}


def test_each_person_has_so_many_contacts() -> None:
    parameters = msgspec.structs.replace(SMALL, profile_law=ProfileLaw.CONTACTS)
    done = simulate_rounds(parameters, rng())
    assert ((done.profiles > 0).sum(axis=1) == 3).all()
    assert (contact_flags(done.profiles, 3) == (done.profiles > 0)).all()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"contacts": 7}, "contacts"),
        ({"target_packets_per_round": 6}, "target_packets_per_round"),
        ({"rounds": 10_000_000}, "rounds"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    changes: dict[str, int], key: str
) -> None:
    with pytest.raises(UserError, match=rf"^{key}\b"):
        simulate_rounds(msgspec.structs.replace(SMALL, **changes), rng())


def test_one_seed_gives_one_trace() -> None:
    first, second = (simulate_rounds(SMALL, rng(5)).trace for _ in range(2))
    assert first.time.tobytes() == second.time.tobytes()
    assert first.message.tobytes() == second.message.tobytes()


def test_only_the_writer_writes_to_the_target() -> None:
    done = simulate_presence(PresenceParameters(users=10, rounds=300), rng())
    trace = done.trace
    got = trace.message[(trace.kind == Event.DELIVER) & (trace.label == done.target)]
    assert len(got) > 10
    sends = trace.kind == Event.SEND
    sender = np.full(trace.messages, NOBODY)
    sender[trace.message[sends]] = trace.label[sends]
    assert set(sender[got].tolist()) == {done.sender}


def test_each_packet_gets_the_first_free_slot() -> None:
    ready = np.array([0.0, 0.1, 0.2, 3.5, 9.0])
    slots = np.array([0.15, 1.0, 2.0, 3.0, 4.0])
    assert slot_places(ready, slots).tolist() == [0, 1, 2, 4, 5]  # 5: there is none left
    assert slot_places(np.zeros(0), slots).tolist() == []


def test_slots_are_filled_whether_or_not_there_is_payload() -> None:
    parameters = LinkParameters(pairs=40, busy_share=0.5, seconds=500.0)
    done = simulate_links(parameters, rng())
    trace = done.trace
    for event, first, busy in (
        (Event.SEND, 0, done.is_busy),
        (Event.DELIVER, 40, done.is_busy[np.argsort(done.partner)]),
    ):
        labels = trace.label[(trace.kind == event) & (trace.label >= first)] - first
        packets = np.bincount(labels, minlength=40)
        error = np.sqrt(1000 / 20)  # of a mean of 20 Poisson counts of 1000
        assert abs(packets[busy].mean() - 1000) < 4 * error
        assert abs(packets[~busy].mean() - 1000) < 4 * error
    assert (trace.genre == Genre.PAYLOAD).sum() > 2000


def test_bursts_take_their_share_of_the_time_from_the_start() -> None:
    parameters, draw = LinkParameters(seconds=500.0), rng()
    times = [burst_times(parameters, draw) for _ in range(1500)]
    assert abs(np.mean([len(one) for one in times]) / 500 - 0.4) < 0.012
    assert abs(np.mean([(one < 20).sum() for one in times]) / 20 - 0.4) < 0.05


def test_packets_beside_the_cover_show() -> None:
    parameters = LinkParameters(
        pairs=40, busy_share=0.5, seconds=500.0, burst_share=1.0, sending=LinkCover.BESIDE
    )
    done = simulate_links(parameters, rng())
    labels = done.trace.label[done.trace.kind == Event.SEND]
    packets = np.bincount(labels, minlength=40)
    assert abs(packets[done.is_busy].mean() - 1500) < 40
    assert abs(packets[~done.is_busy].mean() - 1000) < 40
