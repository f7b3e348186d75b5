"""Each mixing strategy against cases that can be worked out, and what tracing makes of it."""

import math

import msgspec
import numpy as np
import pytest

from experiments.lab.adversaries.tracing import TargetScores, trace_targets
from experiments.lab.model import DelayLaw, Topology
from experiments.lab.outcome import Quality
from experiments.lab.sources.event import Simulation, simulate
from experiments.lab.sources.event_loop import leaving_probability
from experiments.lab.sources.event_model import EventParameters, Span, rule_of
from experiments.lab.sources.strategies import Strategy
from experiments.lab.studies.strategies import EXPERIMENT, StrategiesParameters
from experiments.lab.trace import Event, Floats, Ints, observe, permuted
from pki.anonymity import pool_mix_entropy_bits

LONG = Span(10.0, 80.0, 10.0)


def one_mix(strategy: Strategy, number: int = 1, **values: object) -> Simulation:
    """One mix that 100 packets a second reach, for 100 s."""
    parameters = EventParameters(layers=1, width=1, strategy=strategy)
    changed = msgspec.structs.replace(parameters, **values)
    return simulate(changed, LONG, np.random.SeedSequence(number))


def holds(run: Simulation) -> tuple[Floats, Floats]:
    """When each packet that left the one mix came, and when it left, in the order of coming."""
    trace = run.trace
    came, left = np.full((2, trace.messages), np.nan)
    for times, kind in ((came, Event.ARRIVE), (left, Event.DEPART)):
        chosen = trace.kind == kind
        times[trace.message[chosen]] = trace.time[chosen]
    return came[~np.isnan(left)], left[~np.isnan(left)]


def flushes(run: Simulation) -> tuple[Floats, Ints, Ints]:
    """The moments at which the one mix sent, how many it held just before, and how many left."""
    trace = run.trace
    departures = trace.time[trace.kind == Event.DEPART]
    arrivals = trace.time[trace.kind == Event.ARRIVE]
    moments, counts = np.unique(departures, return_counts=True)
    held = np.searchsorted(arrivals, moments, side="right") - np.r_[0, np.cumsum(counts)[:-1]]
    return moments, held.astype(np.int32), counts.astype(np.int32)


def distance(values: Floats, below: Floats) -> float:
    """Kolmogorov's distance times the root of the number: above 1.95 once in a thousand."""
    order = np.argsort(values)
    steps = np.arange(len(values) + 1) / len(values)
    chances = below[order]
    worst = max(np.max(steps[1:] - chances), np.max(chances - steps[:-1]))
    return float(worst * math.sqrt(len(values)))


def test_a_threshold_mix_sends_exactly_its_batch_at_the_last_arrival() -> None:
    run = one_mix(Strategy.THRESHOLD, batch=16)
    moments, held, counts = flushes(run)
    assert set(counts) == {16}
    assert np.array_equal(held, counts)
    came, left = holds(run)
    assert np.array_equal(left, np.repeat(came[15::16], 16))
    assert len(moments) == len(came) // 16


def test_a_batch_leaves_shuffled() -> None:
    trace = one_mix(Strategy.THRESHOLD, batch=16).trace
    order = trace.message[trace.kind == Event.DEPART].reshape(-1, 16) % 16
    batches = len(order)
    table = np.array([np.bincount(order[:, place], minlength=16) for place in range(16)])
    # Every place in equal shares: chi square with 15·15 degrees, 5 standard deviations above.
    statistic = np.sum((table - batches / 16) ** 2) / (batches / 16)
    assert statistic < 225 + 5 * math.sqrt(450)


def test_a_threshold_mix_stalls_where_nothing_comes() -> None:
    run = one_mix(Strategy.THRESHOLD, batch=1000, rate_per_second=1.0)
    assert not np.any(run.trace.kind == Event.DEPART)


def test_timed_mixes_send_all_and_only_at_ticks() -> None:
    run = one_mix(Strategy.TIMED, period_seconds=0.25, is_aligned=True)
    came, left = holds(run)
    assert np.array_equal(left, np.ceil(came / 0.25) * 0.25)


def test_unaligned_clocks_have_phases_of_their_own() -> None:
    parameters = EventParameters(strategy=Strategy.TIMED, period_seconds=0.25, width=4)
    trace = simulate(parameters, LONG, np.random.SeedSequence(2)).trace
    phases = set()
    for mix in range(trace.mixes):
        departures = trace.time[(trace.kind == Event.DEPART) & (trace.mix == mix)]
        phase = np.unique(np.round(departures % 0.25, 9) % 0.25)
        assert len(phase) == 1
        phases.add(float(phase[0]))
    assert len(phases) == trace.mixes


def test_a_pool_mix_keeps_exactly_its_pool() -> None:
    run = one_mix(Strategy.POOL, batch=20, kept=7)
    moments, held, counts = flushes(run)
    assert set(held) == {27}
    assert set(counts) == {20}
    came, left = holds(run)
    # Each round a packet is one of 20 that leave of 27: rounds are geometric.
    rounds = np.searchsorted(moments, left) - np.searchsorted(moments, came)
    settled = (came > 10) & (came < 90)
    stayed = np.mean(rounds[settled] >= 1)
    assert stayed == pytest.approx(7 / 27, abs=0.02)
    assert np.mean(rounds[settled] >= 2) == pytest.approx((7 / 27) ** 2, abs=0.01)


def test_a_timed_pool_sends_all_but_its_pool() -> None:
    _, held, counts = flushes(one_mix(Strategy.TIMED_POOL, period_seconds=0.1, kept=6))
    assert len(set(held)) > 10
    assert np.array_equal(held - counts, np.full(len(held), 6))


def test_a_cottrell_mix_sends_its_fraction_and_keeps_its_pool() -> None:
    run = one_mix(Strategy.COTTRELL, period_seconds=0.1, kept=6, fraction=0.6)
    _, held, counts = flushes(run)
    expected = np.minimum(held - 6, np.maximum(1, np.floor(0.6 * held)))
    assert np.array_equal(counts, expected)
    assert np.any(expected == held - 6)
    assert np.any(expected == np.floor(0.6 * held))


def test_each_packet_of_a_binomial_mix_tosses_its_coin_at_every_tick() -> None:
    run = one_mix(
        Strategy.BINOMIAL, period_seconds=0.2, batch=25, spread=8.0, fraction=0.9, is_aligned=True
    )
    trace = run.trace
    ticks = np.arange(1, 500) * 0.2
    arrivals = trace.time[trace.kind == Event.ARRIVE]
    departures = trace.time[trace.kind == Event.DEPART]
    # Aligned ticks are the products place·0.2, as here, so nothing leaves between two of them.
    assert set(departures) <= set(ticks)
    before = np.searchsorted(arrivals, ticks) - np.searchsorted(departures, ticks)
    counts = np.searchsorted(departures, ticks, side="right") - np.searchsorted(departures, ticks)
    chance = np.array([leaving_probability(int(held), 25, 0.9, 8.0) for held in before])
    spread = math.sqrt(np.sum(before * chance * (1 - chance)))
    assert abs(np.sum(counts - before * chance)) < 4 * spread
    scaled = (counts - before * chance) / np.sqrt(np.maximum(before * chance * (1 - chance), 1e-9))
    assert np.var(scaled[before > 3]) == pytest.approx(1.0, abs=0.3)


def test_the_binomial_curve_is_a_normal_distribution_function_with_a_cap() -> None:
    for held, share in ((25, 0.5), (33, 0.841345), (17, 0.158655), (1000, 1.0)):
        assert leaving_probability(held, 25, 0.9, 8.0) == pytest.approx(0.9 * share, abs=1e-6)


def test_poisson_delays_are_exponential_and_never_early() -> None:
    came, left = holds(one_mix(Strategy.POISSON, mean_delay_seconds=0.3))
    delays = (left - came)[came < 90]
    assert delays.min() >= 0
    assert distance(delays, -np.expm1(-delays / 0.3)) < 1.95
    assert distance(delays, -np.expm1(-delays / 0.33)) > 1.95  # it can fail


@pytest.mark.parametrize(
    ("law", "most"), [(DelayLaw.CONSTANT, 0.3), (DelayLaw.UNIFORM, 0.6), (DelayLaw.GAMMA, 9.0)]
)
def test_independent_delays_follow_their_law(law: DelayLaw, most: float) -> None:
    came, left = holds(one_mix(Strategy.INDEPENDENT, mean_delay_seconds=0.3, delay_law=law))
    delays = (left - came)[came < 90]
    below = {
        DelayLaw.CONSTANT: (delays >= 0.3 - 1e-9).astype(float),
        DelayLaw.UNIFORM: np.clip(delays / 0.6, 0, 1),
        DelayLaw.GAMMA: 1 - np.exp(-delays / 0.15) * (1 + delays / 0.15),
    }[law]
    assert delays.max() <= most + 1e-9
    if law is DelayLaw.CONSTANT:
        assert np.all(below == 1.0)
    else:
        assert distance(delays, below) < 1.95


@pytest.mark.parametrize("strategy", Strategy)
def test_derived_numbers_give_the_mean_delay_of_poisson(strategy: Strategy) -> None:
    came, left = holds(one_mix(strategy, kept=5, mean_delay_seconds=0.4))
    settled = (came > 10) & (came < 90)
    assert np.mean((left - came)[settled]) == pytest.approx(0.4, rel=0.06)


def traced(run: Simulation, start: float, end: float, step: int = 1) -> TargetScores:
    observation, ends = observe(run.trace)
    chosen = run.payload_between(start, end) & (ends.delivered >= 0)
    targets = np.flatnonzero(chosen)[::step]
    return trace_targets(observation, ends.sent[targets], ends.delivered[targets])


def test_a_threshold_mix_hides_one_in_its_batch() -> None:
    found = traced(one_mix(Strategy.THRESHOLD, batch=32), 10.0, 80.0, 7)
    assert found.entropy_bits == pytest.approx(5.0, abs=1e-9)
    assert found.quality is Quality.EXACT


def test_a_cascade_in_step_hides_no_more_than_one_of_its_mixes() -> None:
    parameters = EventParameters(
        topology=Topology.CASCADES, layers=4, width=1, strategy=Strategy.THRESHOLD, batch=32
    )
    run = simulate(parameters, LONG, np.random.SeedSequence(3))
    assert traced(run, 10.0, 80.0, 7).entropy_bits == pytest.approx(5.0, abs=1e-9)


def test_a_pool_mix_hides_as_its_closed_form_says() -> None:
    run = one_mix(Strategy.POOL, batch=100, kept=10, rate_per_second=400.0)
    found = traced(run, 10.0, 60.0, 37)
    assert found.mass.min() > 1 - 1e-6
    assert found.entropy_bits == pytest.approx(pool_mix_entropy_bits(100, 10), abs=1e-4)


def test_a_timed_mix_hides_one_in_what_came_in_its_period() -> None:
    run = one_mix(Strategy.TIMED, period_seconds=0.5, is_aligned=True)
    came, left = holds(run)
    _, batch, size = np.unique(left, return_inverse=True, return_counts=True)
    settled = (came >= 10.0) & (came < 80.0)
    found = traced(run, 10.0, 80.0)
    assert found.entropy_bits == pytest.approx(np.log2(size[batch][settled]), abs=1e-9)


@pytest.mark.parametrize("strategy", [Strategy.POOL, Strategy.BINOMIAL, Strategy.COTTRELL])
def test_tracing_is_calibrated_and_blind(strategy: Strategy) -> None:
    """The surprise at the truth equals the entropy on average, and with labels dealt out anew the
    truth gets no more than any other packet."""
    parameters = EventParameters(width=2, strategy=strategy, kept=4, mean_delay_seconds=0.1)
    surplus, chance = [], []
    for replicate in range(12):
        run = simulate(parameters, Span(3.0, 10.0, 3.0), np.random.SeedSequence((4, replicate)))
        found = traced(run, 3.0, 13.0, 5)
        surplus.append(np.mean(-np.log2(found.truth_probability) - found.entropy_bits))
        observation, ends = observe(run.trace)
        other = permuted(ends, np.random.default_rng(replicate))
        targets = np.flatnonzero(run.payload_between(3.0, 13.0) & (ends.delivered >= 0))[::5]
        dealt = trace_targets(observation, ends.sent[targets], other.delivered[targets])
        chance.append(np.mean(dealt.truth_probability) * np.sum(ends.delivered >= 0))
        assert np.mean(found.truth_probability) > 0.01
    assert abs(np.mean(surplus)) < 4 * np.std(surplus, ddof=1) / math.sqrt(12)
    assert np.std(surplus, ddof=1) / math.sqrt(12) < 0.03
    assert np.mean(chance) == pytest.approx(1.0, abs=0.4)  # with the true labels it is some 20


def test_the_experiment_gives_the_published_pool_mix_by_parameters_alone() -> None:
    parameters = StrategiesParameters(
        layers=1, width=1, strategy=Strategy.POOL, batch=100, kept=10, rate_per_second=400.0
    )
    outcome = EXPERIMENT.run(parameters, np.random.SeedSequence(5))
    assert outcome.measures["entropy_bits"].value == pytest.approx(7.1273, abs=1e-4)
    assert outcome.measures["entropy_bits"].quality is Quality.EXACT
    assert outcome.measures["mass"].value > 1 - 1e-6


def test_the_experiment_accounts_for_every_packet_by_cause() -> None:
    parameters = StrategiesParameters(
        rate_per_second=300.0,
        width=2,
        loss=0.05,
        service_seconds=0.005,
        queue_limit=2,
        payload_share=0.5,
        loop_share=0.25,
        drop_share=0.25,
        mix_loop_rate_per_second=1.0,
        restart_rate_per_second=0.02,
        mean_delay_seconds=0.2,
        targets=50,
    )
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(6)).measures
    causes = ("delivered", "lost", "refused", "forgotten", "unfinished")
    assert sum(measures[f"{cause}_share"].value for cause in causes) == pytest.approx(1.0)
    assert all(measures[f"{cause}_share"].value > 0 for cause in causes[:4])
    assert measures["entropy_bits"].quality is Quality.APPROXIMATE
    # Half of what people send carries payload, and some is lost on the way.
    assert measures["bandwidth_overhead"].value > 2


def test_the_experiment_shows_a_threshold_stall_and_same_seed_same_figures() -> None:
    quiet = StrategiesParameters(
        rate_per_second=2.0, width=1, strategy=Strategy.THRESHOLD, batch=40, span_seconds=100.0
    )
    first = EXPERIMENT.run(quiet, np.random.SeedSequence(7))
    assert first.measures["stalled_share"].value > 0.05
    assert first == EXPERIMENT.run(quiet, np.random.SeedSequence(7))


def test_where_nothing_arrives_nothing_is_traced() -> None:
    parameters = StrategiesParameters(
        strategy=Strategy.THRESHOLD, batch=100_000, settle_seconds=5.0, span_seconds=5.0
    )
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(8)).measures
    assert measures["stalled_share"].value == 1.0
    assert "entropy_bits" not in measures


def test_derives_nothing_that_is_given() -> None:
    given = EventParameters(strategy=Strategy.BINOMIAL, batch=7, period_seconds=0.125)
    assert (rule_of(given).batch, rule_of(given).period_seconds) == (7, 0.125)


@pytest.mark.parametrize(("fraction", "batch", "spread"), [(0.8, 100, 30.0), (0.5, 200, 50.0)])
def test_a_binomial_mix_settles_by_its_own_numbers(
    fraction: float, batch: int, spread: float
) -> None:
    """With batch and period given, `mean_delay_seconds` says nothing of how long packets stay."""
    parameters = StrategiesParameters(
        strategy=Strategy.BINOMIAL,
        layers=1,
        width=1,
        rate_per_second=100.0,
        period_seconds=1.0,
        fraction=fraction,
        batch=batch,
        spread=spread,
        targets=50,
    )
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(8)).measures
    assert measures["mass"].value > 1.0 - 1e-6
    assert measures["entropy_bits"].quality is Quality.EXACT
    unsettled = msgspec.structs.replace(parameters, settle_seconds=1.0)
    measures = EXPERIMENT.run(unsettled, np.random.SeedSequence(8)).measures
    assert measures["mass"].value < 1.0 - 1e-6
    assert measures["entropy_bits"].quality is Quality.APPROXIMATE
