"""Disclosure attacks against closed forms, hand-worked rounds and permuted truth."""

import numpy as np
import pytest

from experiments.lab.adversaries.counts import (
    Counts,
    counted,
    erlang_share,
    even_windows,
    exponential_lags,
    flush_times,
    lagged,
    pool_lags,
)
from experiments.lab.adversaries.disclosure import (
    Granted,
    least_squares_profiles,
    recall,
    rounds_to_separate,
    statistical_disclosure,
)
from experiments.lab.sources.rounds import (
    ProfileLaw,
    RoundMixing,
    RoundParameters,
    contact_flags,
    simulate_rounds,
)
from experiments.lab.studies.disclosure import EXPERIMENT, DisclosureParameters, run
from experiments.lab.trace import observe, permuted
from pki import least_squares_error

SEEDS = [np.random.SeedSequence(7, spawn_key=(place,)) for place in range(4)]
UNLAGGED = Granted(np.ones(1), 0.0, 3)


def means(parameters: DisclosureParameters, replicates: int = 4) -> dict[str, float]:
    outcomes = [run(parameters, seed).measures for seed in SEEDS[:replicates]]
    return {key: float(np.mean([one[key].value for one in outcomes])) for key in outcomes[0]}


def test_rounds_worked_by_hand() -> None:
    # Person 0 writes to 1; person 1 writes to 0 and 2 in turn.
    counts = Counts(
        sent=np.array([[1, 0, 0], [0, 2, 0], [1, 2, 0]], dtype=float),
        received=np.array([[0, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=float),
    )
    profiles = least_squares_profiles(counts, UNLAGGED)
    assert profiles == pytest.approx(np.array([[0, 1, 0], [0.5, 0, 0.5], [0, 0, 0]]))
    scores = statistical_disclosure(counts, 3)
    assert scores[0] == pytest.approx([0.5 - 1, 1.0, 0.5 - 1])
    assert scores[2] == pytest.approx([0, 0, 0])


def test_windows_count_what_happens_up_to_their_end() -> None:
    done = simulate_rounds(
        RoundParameters(users=4, receivers=4, contacts=2, rounds=50), np.random.default_rng(1)
    )
    seen, _ = observe(done.trace)
    counts = counted(seen, flush_times(seen))
    assert counts.sent.shape == (50, 4)
    assert (counts.sent.sum(axis=1) == 10).all()
    assert (counts.received.sum(axis=1) == 10).all()
    assert counts.first(3).sent.shape == (3, 4)


def test_lags_add_up_and_have_the_mean_of_the_delay() -> None:
    for hops in (1, 3):
        lags = exponential_lags(1.0, 0.7, hops)
        assert lags.sum() == pytest.approx(1, abs=2e-6)
        # Sent evenly over a window and counted by window: the mean lag is the mean delay.
        assert (lags * np.arange(len(lags))).sum() == pytest.approx(0.7 * hops, abs=1e-3)
    pool = pool_lags(10, 30)
    assert pool[:2] == pytest.approx([0.25, 0.1875])
    assert pool.sum() == pytest.approx(1, abs=2e-6)
    assert pool_lags(10, 0).tolist() == [1.0]
    assert erlang_share(1.0, 1.0, 2) == pytest.approx(1 - 2 / np.e)
    assert even_windows(1.0, 4.2, 1.0).tolist() == [2.0, 3.0, 4.0]


def test_lagged_counts_are_spread_over_later_windows() -> None:
    sent = np.array([[4.0], [0.0], [8.0]])
    assert lagged(sent, np.array([0.5, 0.25, 0.25])).ravel().tolist() == [2.0, 1.0, 5.0]


def test_recall_shares_the_places_at_a_tie() -> None:
    contacts = np.array([[True, True, False, False]] * 3)
    scores = np.array([[4.0, 3, 2, 1], [4, 2, 2, 2], [1, 1, 1, 1]])
    assert recall(scores, contacts) == pytest.approx([1.0, (1 + 1 / 3) / 2, 0.5])


def test_error_of_row_a27_and_its_closed_form() -> None:
    found = means(DisclosureParameters())
    assert found["squared_error"] == pytest.approx(0.01094, rel=0.05)
    assert found["closed_form_error"] == pytest.approx(0.01094, rel=0.05)
    assert found["squared_error"] == pytest.approx(found["closed_form_error"], rel=0.05)


def test_closed_form_is_that_of_the_product_without_cover() -> None:
    parameters = DisclosureParameters(users=20, receivers=20, rounds=1000)
    rng = np.random.default_rng(SEEDS[0])
    profiles = simulate_rounds(parameters, rng).profiles
    product = np.mean([least_squares_error(1000, 10, 1 / 20, row) for row in profiles.tolist()])
    closed = run(parameters, SEEDS[0]).measures["closed_form_error"].value
    assert closed == pytest.approx(product, rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "tolerance"),
    [
        (DisclosureParameters(users=20, rounds=1500, payload_share=0.4), 0.06),
        (DisclosureParameters(users=20, rounds=1500, mix_cover_per_round=10), 0.06),
        (
            DisclosureParameters(users=20, rounds=1500, talking_share=0.4, is_cover_constant=True),
            0.06,
        ),
        (DisclosureParameters(users=20, rounds=1500, mixing=RoundMixing.POOL), 0.15),
        (DisclosureParameters(users=20, rounds=1500, mixing=RoundMixing.POISSON), 0.2),
    ],
)
def test_error_with_cover_and_other_mixes_is_near_its_form(
    parameters: DisclosureParameters, tolerance: float
) -> None:
    found = means(parameters)
    assert found["squared_error"] == pytest.approx(found["closed_form_error"], rel=tolerance)


def test_cover_makes_disclosure_slower_and_does_not_end_it() -> None:
    bare = means(DisclosureParameters(users=20, rounds=500))
    covered = means(DisclosureParameters(users=20, rounds=500, payload_share=0.2))
    assert covered["squared_error"] > 4 * bare["squared_error"]
    assert covered["least_squares_recall"] < bare["least_squares_recall"] - 0.1
    longer = means(DisclosureParameters(users=20, rounds=6000, payload_share=0.2), 1)
    assert longer["least_squares_recall"] > bare["least_squares_recall"] - 0.05


def test_presence_alone_discloses_contacts_under_constant_cover() -> None:
    shared = {"users": 20, "rounds": 1500, "talking_share": 0.3, "is_cover_constant": True}
    always = means(DisclosureParameters(**shared), 2)  # type: ignore[arg-type]
    away = means(DisclosureParameters(**shared, online_share=0.3), 2)  # type: ignore[arg-type]
    assert away["squared_error"] < 0.8 * always["squared_error"]


def test_statistical_disclosure_needs_the_rounds_of_its_bound() -> None:
    assert rounds_to_separate(5, 1000, 50, 2.0) == pytest.approx(46.0, abs=0.05)
    found = {}
    for rounds in (23, 46, 92):
        parameters = RoundParameters(
            users=2,
            receivers=1000,
            rounds=rounds,
            packets_per_round=50,
            target_packets_per_round=1,
            profile_law=ProfileLaw.TARGET_ALONE,
        )
        shares = []
        for seed in range(50):
            done = simulate_rounds(parameters, np.random.default_rng(seed))
            seen, _ = observe(done.trace)
            scores = statistical_disclosure(counted(seen, flush_times(seen)), 1)
            shares.append(recall(scores, contact_flags(done.profiles, 5)[:1])[0])
        found[rounds] = np.mean(shares)
    assert found[23] == pytest.approx(0.57, abs=0.07)
    assert found[46] == pytest.approx(0.82, abs=0.07)
    assert found[92] == pytest.approx(0.98, abs=0.03)


def test_permuted_truth_brings_both_attacks_to_chance() -> None:
    parameters = RoundParameters(
        users=40, receivers=40, rounds=1000, contacts=4, profile_law=ProfileLaw.CONTACTS
    )
    done = simulate_rounds(parameters, np.random.default_rng(3))
    seen, ends = observe(done.trace)
    counts = counted(seen, flush_times(seen))
    attacks = (
        least_squares_profiles(counts, Granted(np.ones(1), 0.0, 40)),
        statistical_disclosure(counts, 40),
    )
    other = permuted(ends, np.random.default_rng(4))
    for truth, low, high in ((ends, 0.9, 1.0), (other, 0.02, 0.2)):
        pairs = np.zeros((40, 40))
        np.add.at(pairs, (truth.sender, truth.receiver), 1)
        for scores in attacks:
            assert low <= recall(scores, contact_flags(pairs, 4)).mean() <= high  # chance is 0.1


def test_one_seed_gives_one_outcome() -> None:
    small = EXPERIMENT.parameters(users=10, receivers=10, rounds=100)
    assert EXPERIMENT.run(small, SEEDS[0]) == EXPERIMENT.run(small, SEEDS[0])
    assert EXPERIMENT.run(small, SEEDS[0]) != EXPERIMENT.run(small, SEEDS[1])
