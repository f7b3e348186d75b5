"""The tracing adversary against pools worked out by hand, and against every possible matching."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.lab.adversaries.tracing import trace_senders, trace_targets
from experiments.lab.adversaries.tracing_matching import KnownDelays
from experiments.lab.adversaries.tracing_single import mix_entropy
from experiments.lab.model import DelayLaw
from experiments.lab.outcome import Quality
from experiments.lab.trace import NOBODY, Event, Floats, Trace, observe
from tests.lab.hand_trace import Step, deliver, move, send, trace_by_hand


def posteriors(trace: Trace) -> list[list[float]]:
    """What `trace_senders` says of each delivery."""
    return [list(map(float, row)) for row in trace_senders(observe(trace)[0]).posterior]


# Worked out by hand.


def test_a_lone_sender_is_known() -> None:
    assert posteriors(trace_by_hand(send(0, 0, 1), deliver(0, 0))) == [[0.0, 1.0, 0.0]]


def test_two_in_a_pool_hide_each_other_until_one_is_left() -> None:
    found = posteriors(
        trace_by_hand(send(0, 0, 0), send(1, 0, 1), deliver(0, 0), deliver(1, 0), people=2)
    )
    assert found == [[0.5, 0.5], [0.5, 0.5]]


def test_a_busier_sender_weighs_more() -> None:
    sent = [send(number, 0, person) for number, person in enumerate((0, 0, 0, 1))]
    assert posteriors(trace_by_hand(*sent, deliver(1, 0), people=2)) == [[0.75, 0.25]]


def test_who_came_later_cannot_have_left_before() -> None:
    trace = trace_by_hand(
        send(0, 0, 0), send(1, 0, 1), deliver(1, 0), send(2, 0, 2), deliver(0, 0), deliver(2, 0)
    )
    assert posteriors(trace) == [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]


def test_mass_is_conserved_through_two_mixes() -> None:
    trace = trace_by_hand(
        send(0, 0, 0),
        send(1, 0, 1),
        move(0, 0, 1),
        move(1, 0, 1),
        deliver(1, 1),
        deliver(0, 1),
    )
    assert np.sum(posteriors(trace), axis=0).tolist() == [1.0, 1.0, 0.0]


def test_a_mixes_own_loop_carries_nobody_but_thins_the_pool() -> None:
    loop: list[Step] = [
        (Event.LOOP_SEND, 0, 1, NOBODY),
        (Event.ARRIVE, 1, 1, NOBODY),
        (Event.DEPART, 1, 1, NOBODY),
        (Event.LOOP_END, 0, 1, NOBODY),
    ]
    trace = trace_by_hand(send(0, 0, 2), move(0, 0, 1), loop, deliver(0, 1))
    seen, ends = observe(trace)
    found = trace_senders(seen)
    assert found.posterior.tolist() == [[0.0, 0.0, 1.0]]
    scores = trace_targets(seen, ends.sent[:1], ends.delivered[:1])
    assert scores.mass.tolist() == [0.5]  # half was on the wire that turned out to be the loop's
    assert scores.truth_probability.tolist() == [1.0]
    assert scores.quality is found.quality is Quality.APPROXIMATE


def test_a_packet_from_before_the_trace_is_left_out() -> None:
    seen, _ = observe(trace_by_hand(deliver(0, 0), send(1, 0, 1), deliver(1, 0)))
    found = trace_senders(seen)
    assert found.posterior.tolist() == [[0.0, 1.0, 0.0]]
    assert found.delivered.tolist() == [2]


def test_a_restart_forgets_what_was_held() -> None:
    restart: list[Step] = [(Event.RESTART, 0, NOBODY, NOBODY)]
    trace = trace_by_hand(send(0, 0), send(1, 1), restart, send(2, 0), deliver(2, 0), deliver(1, 1))
    seen, ends = observe(trace)
    assert len(trace_senders(seen).delivered) == 2
    scores = trace_targets(seen, ends.sent, ends.delivered)
    assert scores.mass.tolist() == [0.0, 1.0, 1.0]
    assert scores.truth_probability.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_is_refused_or_lost_on_a_link_is_out_of_the_account(*, is_lost: bool) -> None:
    leaves: list[Step] = [(Event.DEPART, 0, 0, NOBODY)]
    refused: list[Step] = [] if is_lost else [(Event.DROP, 1, 0, NOBODY)]
    trace = trace_by_hand(send(0, 0), send(1, 0), leaves, refused, deliver(1, 0))
    seen, ends = observe(trace)
    scores = trace_targets(seen, ends.sent, ends.delivered)
    assert scores.mass.tolist() == [0.5, 0.5]
    assert scores.entropy_bits.tolist() == [0.0, 0.0]  # there is one delivery that it can be


def test_a_corrupt_mix_hands_through() -> None:
    trace = trace_by_hand(
        send(0, 0, 0), send(1, 0, 1), move(1, 0, 1), move(0, 0, 1), deliver(1, 1), deliver(0, 1)
    )
    first, second = np.array([True, False]), np.array([True, True])
    seen, _ = observe(trace, first)
    assert trace_senders(seen).posterior.tolist() == [[0.5, 0.5, 0.0]] * 2
    seen, ends = observe(trace, second)
    assert trace_senders(seen).posterior.tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    scores = trace_targets(seen, ends.sent, ends.delivered)
    assert scores.truth_probability.tolist() == [1.0, 1.0]
    assert scores.entropy_bits.tolist() == [0.0, 0.0]


def test_entropies_and_ranks_of_a_posterior_worked_out_by_hand() -> None:
    trace = trace_by_hand(
        send(0, 0), send(1, 0), deliver(1, 0), send(2, 0), deliver(0, 0), deliver(2, 0)
    )
    seen, ends = observe(trace)
    scores = trace_targets(seen, ends.sent, ends.delivered, batch=2)
    assert scores.entropy_bits == pytest.approx([1.5, 1.5, 1.0])
    assert scores.min_entropy_bits == pytest.approx([1.0, 1.0, 1.0])
    assert scores.collision_entropy_bits == pytest.approx([-np.log2(0.375)] * 2 + [1.0])
    assert scores.truth_probability.tolist() == [0.25, 0.5, 0.5]
    # Behind the one of 1/2, the two of 1/4 share the second and third places.
    assert scores.truth_rank.tolist() == [2.5, 1.0, 1.5]


def test_what_is_no_target_is_refused() -> None:
    seen, _ = observe(trace_by_hand(send(0, 0), deliver(0, 0)))
    one = np.zeros(1, dtype=np.int32)
    with pytest.raises(ValueError, match="no person sent"):
        trace_targets(seen, one + 1, one)
    with pytest.raises(ValueError, match="no wire"):
        trace_targets(seen, one + 2, one)
    with pytest.raises(ValueError, match="twice"):
        trace_targets(seen, np.zeros(2, dtype=np.int32), np.zeros(2, dtype=np.int32))


# Every possible matching.


def by_enumeration(kinds: list[int]) -> Floats:
    """[arrivals, departures] the chance of each match, over all ways to choose who leaves."""
    chances = np.zeros((kinds.count(1), kinds.count(2)))

    def go_on(event: int, inside: tuple[int, ...], chosen: tuple[int, ...], chance: float) -> None:
        if event == len(kinds):
            for departure, arrival in enumerate(chosen):
                chances[arrival, departure] += chance
        elif kinds[event] == 1:
            go_on(event + 1, (*inside, kinds[:event].count(1)), chosen, chance)
        else:
            for leaver in inside:
                rest = tuple(other for other in inside if other != leaver)
                go_on(event + 1, rest, (*chosen, leaver), chance / len(inside))

    go_on(0, (), (), 1.0)
    return chances


def test_a_small_mix_is_traced_as_all_its_matchings_say() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        kinds, inside, arrivals = [], 0, 0
        while arrivals < 5 or inside:
            is_arrival = arrivals < 5 and (inside == 0 or rng.random() < 0.55)
            kinds.append(1 if is_arrival else 2)
            arrivals += is_arrival
            inside += 1 if is_arrival else -1
        steps: list[list[Step]] = []
        came = left = 0
        for kind in kinds:
            steps.append(send(came, 0) if kind == 1 else deliver(left, 0))
            came, left = (came + 1, left) if kind == 1 else (came, left + 1)
        seen, ends = observe(trace_by_hand(*steps))
        expected = by_enumeration(kinds)
        for target in range(5):
            sent = ends.sent[target : target + 1]
            posterior = [
                float(trace_targets(seen, sent, delivery).truth_probability[0])
                for delivery in seen.wire[seen.kind == Event.DELIVER].reshape(5, 1)
            ]
            assert posterior == pytest.approx(expected[target].tolist(), abs=1e-12)
        entropies = [-sum(p * np.log2(p) for p in row if p > 0) for row in expected]
        assert mix_entropy(seen, 0) == pytest.approx(entropies, abs=1e-12)


def test_packets_still_inside_do_not_take_departures_from_others() -> None:
    """Two arrivals, one departure: with a uniform delay up to 10 s its densities are equal, but the
    later arrival is the likelier to be still inside. All matchings say 2/3 and 1/3; scaling comes
    from 1/2 near to that."""
    trace = trace_by_hand(send(0, 0), send(1, 0), deliver(0, 0))
    trace = replace(trace, time=np.array([0.0, 0.0, 4.0, 4.0, 6.0, 6.0]))
    seen, ends = observe(trace)
    delays = KnownDelays(DelayLaw.UNIFORM, 5.0)
    scores = trace_targets(seen, ends.sent, ends.delivered, delays=delays)
    assert scores.mass.sum() == pytest.approx(1.0, abs=1e-5)
    assert scores.mass[0] == pytest.approx(2 / 3, abs=0.09)
