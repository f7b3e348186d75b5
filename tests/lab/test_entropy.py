"""Entropies and costs against distributions that can be worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from experiments.lab.adversaries.tracing_scores import ENTROPY, MASS, RANK, TRUTH, scores
from experiments.lab.metrics.cost import latency_of, link_packets_per_payload
from experiments.lab.metrics.entropy import (
    effective_set_size,
    min_entropy_bits,
    renyi_bits,
    shannon_bits,
    surprise_bits,
    top_share,
    truth_probability,
)
from experiments.lab.trace import Floats, Genre
from hushmill.errors import UsageError
from tests.lab.hand_trace import deliver, move, send, trace_by_hand

UNEVEN = np.array([[0.5, 0.25, 0.125, 0.125], [1.0, 0.0, 0.0, 0.0], [0.25] * 4])


def test_entropies_of_known_distributions() -> None:
    assert shannon_bits(UNEVEN).tolist() == [1.75, 0.0, 2.0]
    assert min_entropy_bits(UNEVEN).tolist() == [1.0, 0.0, 2.0]
    assert renyi_bits(UNEVEN, 2) == pytest.approx([-math.log2(11 / 32), 0.0, 2.0])
    assert renyi_bits(UNEVEN, 0) == pytest.approx([2.0, 0.0, 2.0])
    assert [effective_set_size(bits) for bits in (0.0, 2.0)] == [1.0, 4.0]


def test_renyis_entropy_falls_from_the_log_of_all_to_min_entropy() -> None:
    rng = np.random.default_rng(1)
    posterior = rng.dirichlet(np.full(30, 0.3), size=50)
    orders = [0.0, 0.5, 0.999999, 1.0, 1.000001, 2.0, 30.0, 1000.0, math.inf]
    bits = np.array([renyi_bits(posterior, order) for order in orders])
    assert np.all(np.diff(bits, axis=0) < 1e-9)
    assert bits[2] == pytest.approx(bits[3], abs=1e-4)
    assert bits[-2] == pytest.approx(bits[-1], abs=0.02)


def test_no_order_below_zero() -> None:
    for order in (-1.0, math.nan):
        with pytest.raises(UsageError):
            renyi_bits(UNEVEN, order)


def test_what_is_given_to_the_truth() -> None:
    truth = np.array([1, 0, 3], dtype=np.int32)
    assert truth_probability(UNEVEN, truth).tolist() == [0.25, 1.0, 0.25]
    assert surprise_bits(np.array([0.25, 1.0, 0.5])) == 1.0
    assert math.isinf(surprise_bits(np.array([0.5, 0.0])))
    assert top_share(np.array([1.0, 2.5, 10.0, 11.0]), 10) == 0.75


def by_library(posterior: Floats) -> Floats:
    share = posterior / posterior.sum(axis=0)
    entropies: Floats = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=0)
    return entropies


def test_our_own_logarithms_agree_with_the_librarys() -> None:
    rng = np.random.default_rng(2)
    posterior = 10 ** rng.uniform(-300, 0, (4000, 9))
    posterior[:2000] = rng.random((2000, 9)) ** 9
    posterior[rng.random(posterior.shape) < 0.2] = 0.0
    posterior[:6] = [[2.0**-power] * 9 for power in (0, 1, 2, 52, 600, 1022)]
    found = scores(posterior, np.zeros(9, dtype=np.int32), 4000)
    assert found[ENTROPY] == pytest.approx(by_library(posterior), abs=1e-11)
    assert found[MASS] == pytest.approx(posterior.sum(axis=0))


def test_equals_share_the_mean_of_their_places() -> None:
    third = 1 / 3
    posterior = np.array([[0.2, third], [0.4, third * (1 + 1e-15)], [0.4, third * (1 - 1e-15)]])
    truth = np.array([0, 1], dtype=np.int32)
    found = scores(posterior, truth, 3)
    assert found[RANK].tolist() == [3.0, 2.0]
    # Deliveries that the pass did not come to have no probability, as the fourth and fifth here.
    absent = scores(posterior, np.array([7, -1], dtype=np.int32), 5)
    assert absent[RANK].tolist() == [4.5, 4.5]
    assert absent[TRUTH].tolist() == [0.0, 0.0]


def test_a_column_without_mass_leaves_no_doubt_and_no_hit() -> None:
    found = scores(np.zeros((3, 1)), np.zeros(1, dtype=np.int32), 3)
    assert found[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0, 2.0, 0.0]


def test_latency_leaves_out_what_did_not_arrive() -> None:
    latency = latency_of(np.array([*range(101), np.nan], dtype=np.float64))
    assert (latency.mean, latency.p50, latency.p90, latency.p99) == (50.0, 50.0, 90.0, 99.0)
    with pytest.raises(UsageError):
        latency_of(np.array([np.nan]))


def test_cover_and_every_link_are_paid_for() -> None:
    trace = trace_by_hand(
        send(0, 0), move(0, 0, 1), deliver(0, 1), send(1, 0), move(1, 0, 1), deliver(1, 1)
    )
    assert link_packets_per_payload(trace) == 3.0
    covered = replace(trace, genre=np.array([Genre.PAYLOAD, Genre.DROP_COVER], dtype=np.uint8))
    assert link_packets_per_payload(covered) == 6.0
    with pytest.raises(UsageError):
        link_packets_per_payload(replace(trace, genre=np.full(2, Genre.LOOP, dtype=np.uint8)))
