"""Games of sender anonymity, Loopix's epsilon, the trilemma, and Loopix's theorem 1."""

import math

import numpy as np
import pytest

from experiments.lab.adversaries.challenge import play
from experiments.lab.metrics.anoa import anoa_delta
from experiments.lab.metrics.loopix import loopix_delta, loopix_epsilon
from experiments.lab.metrics.trilemma import trilemma_of
from experiments.lab.model import DelayLaw, NetworkParameters
from experiments.lab.outcome import Quality
from experiments.lab.sources.vector import settled_messages, simulate, trace_of
from experiments.lab.studies.anoa import EXPERIMENT as ANOA
from experiments.lab.studies.anoa import AnoaParameters
from experiments.lab.studies.loopix_epsilon import EXPERIMENT as LOOPIX
from experiments.lab.studies.loopix_epsilon import LoopixParameters
from experiments.lab.studies.theorem_1 import EXPERIMENT as THEOREM
from experiments.lab.studies.theorem_1 import TheoremParameters
from experiments.lab.studies.trilemma import EXPERIMENT as TRILEMMA
from experiments.lab.studies.trilemma import TrilemmaParameters
from experiments.lab.trace import Ends, Observation, observe, permuted
from hushmill.errors import UserError


def seeds(count: int) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(19).spawn(count)


def network(games: int) -> tuple[Observation, Ends, np.ndarray]:
    parameters = NetworkParameters(users=20, rate_per_second=50.0, width=2, mean_delay_seconds=0.2)
    settled = settled_messages(parameters)
    flows = simulate(parameters, 2 * settled + games, np.random.default_rng(1))
    seen, ends = observe(trace_of(flows))
    return seen, ends, np.arange(settled, settled + games)


def test_a_response_with_known_privacy_has_its_delta() -> None:
    # Randomised response that is true with probability e/(1+e): delta(1) is 0,
    # and delta(0) = (e-1)/(e+1).
    rng = np.random.default_rng(2)
    truth = math.e / (1 + math.e)
    is_true = rng.random(20_000) < truth
    chance = np.where(is_true, truth, 1 - truth)
    even = anoa_delta(chance, 1 - chance, 0.0)
    assert even.value == pytest.approx((math.e - 1) / (math.e + 1), abs=0.02)
    assert even.low < (math.e - 1) / (math.e + 1) < even.high
    assert even.high - even.low < 0.05
    assert anoa_delta(chance, 1 - chance, 1.0 + 1e-9).value == 0.0
    with pytest.raises(ValueError, match="no game"):
        anoa_delta(np.zeros(0), np.zeros(0), 0.0)


def test_delta_bounds_cover_the_truth() -> None:
    truth = math.e / (1 + math.e)
    expected = truth - math.exp(0.5) * (1 - truth)
    covered = 0
    for seed in range(60):
        is_true = np.random.default_rng(seed).random(150) < truth
        chance = np.where(is_true, truth, 1 - truth)
        found = anoa_delta(chance, 1 - chance, 0.5)
        covered += found.low <= expected <= found.high
    assert covered >= 57


def test_delta_by_chances_is_that_by_how_often_the_test_is_right() -> None:
    outcomes = [ANOA.run(AnoaParameters(games=1000), seed).measures for seed in seeds(5)]
    by_chance = np.mean([one["advantage"].value for one in outcomes])
    by_guess = np.mean([2 * one["guessed_right"].value - 1 for one in outcomes])
    assert by_chance == pytest.approx(by_guess, abs=0.04)
    assert by_chance > 0.3
    for one in outcomes:
        assert one["delta_low"].value <= one["delta"].value <= one["delta_high"].value


def test_permuted_truth_brings_the_game_to_chance() -> None:
    seen, ends, messages = network(1500)
    rng = np.random.default_rng(3)
    true = play(seen, ends, messages, rng)
    assert true.quality is Quality.EXACT
    assert (true.chance_sender > true.chance_other).mean() > 0.65
    dealt = play(seen, permuted(ends, rng), messages, rng)
    assert abs((dealt.chance_sender > dealt.chance_other).mean() - 0.5) < 0.06


def test_corrupt_mixes_raise_delta_and_more_traffic_lowers_it() -> None:
    def delta(**changes: float) -> float:
        parameters = AnoaParameters(games=300, **changes)  # type: ignore[arg-type]
        return float(
            np.mean([ANOA.run(parameters, seed).measures["delta"].value for seed in seeds(3)])
        )

    honest = delta()
    assert delta(corrupt_per_layer=2) > honest + 0.1
    assert delta(rate_per_second=400.0) < honest - 0.05
    assert delta(corrupt_per_layer=3) > 0.99


def test_other_delay_laws_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"^delay_law:"):
        ANOA.run(AnoaParameters(delay_law=DelayLaw.CONSTANT), seeds(1)[0])
    with pytest.raises(UserError, match=r"^delay_law:"):
        LOOPIX.run(LoopixParameters(delay_law=DelayLaw.UNIFORM), seeds(1)[0])


def test_epsilon_of_chances_worked_by_hand() -> None:
    found = loopix_epsilon(np.array([0.2, 0.1, 0.0, 0.0]), np.array([0.1, 0.2, 0.3, 0.0]))
    assert found.tolist() == pytest.approx([math.log(2), math.log(2), math.inf])
    assert loopix_delta(found, 1.0) == pytest.approx(1 / 3)


def test_epsilon_is_the_spread_of_the_number_of_packets_that_could_have_come() -> None:
    # The chance of a sender is a Poisson shot noise: the density of the delay at their packets'
    # ages. Its relative variance is the integral of the squared density over the sender's rate,
    # C(4, 2) / 2^5 / (mean delay * rate), and large pools add nothing to it.
    parameters = LoopixParameters(mean_delay_seconds=2.0, outputs=400)
    runs = [LOOPIX.run(parameters, seed).measures for seed in seeds(3)]
    relative = 6 / 32 / (2.0 * 2.0)
    expected = math.sqrt(2 * relative) * math.sqrt(2 / math.pi)
    found = np.mean([one["epsilon_nats"].value for one in runs])
    assert found == pytest.approx(expected, rel=0.12)
    spread = np.mean([one["epsilon_sd_nats"].value for one in runs])
    assert 0.6 < spread / found < 1.1


def test_epsilon_falls_as_packets_wait_longer() -> None:
    by_delay = [
        LOOPIX.run(LoopixParameters(mean_delay_seconds=mean), seeds(1)[0])
        .measures["epsilon_nats"]
        .value
        for mean in (0.5, 1.0, 2.0)
    ]
    assert by_delay[0] > by_delay[1] > by_delay[2]


def test_networks_keep_to_the_bound_of_the_trilemma() -> None:
    for rate in (2.0, 10.0, 40.0):
        parameters = TrilemmaParameters(rate_per_second=rate)
        found = TRILEMMA.run(parameters, seeds(1)[0]).measures
        assert found["most_anonymity"].value == pytest.approx(min(1.0, 2 * 3 * rate / 100 * 0.5))
        assert 0 < found["anonymity"].value < found["most_anonymity"].value
        assert found["distance"].value == pytest.approx(
            found["most_anonymity"].value - found["anonymity"].value
        )


def test_row_a26_of_the_trilemma() -> None:
    place = trilemma_of(10, 0.02, 0.5, advantage=0.9)
    assert place.most_anonymity == pytest.approx(0.2)
    assert place.distance == pytest.approx(0.1)


@pytest.mark.parametrize(("initial", "remaining", "arrived"), [(10, 4, 3), (5, 5, 2), (6, 0, 4)])
def test_theorem_1_holds_for_exponential_delays(initial: int, remaining: int, arrived: int) -> None:
    parameters = TheoremParameters(initial=initial, remaining=remaining, arrived=arrived)
    found = THEOREM.run(parameters, seeds(1)[0]).measures
    for kind in ("older", "newer"):
        closed = found[f"closed_form_{kind}"].value
        error = math.sqrt(closed * (1 - closed) / 50_000)
        assert abs(found[kind].value - closed) <= 4 * error


def test_theorem_1_fails_for_delays_with_a_memory() -> None:
    parameters = TheoremParameters(delay_law=DelayLaw.UNIFORM)
    found = THEOREM.run(parameters, seeds(1)[0]).measures
    assert found["newer"].value < found["closed_form_newer"].value - 0.05
    with pytest.raises(UserError, match=r"^remaining:"):
        THEOREM.run(TheoremParameters(remaining=11), seeds(1)[0])
