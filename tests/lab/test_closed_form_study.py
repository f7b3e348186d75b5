"""The experiments `closed_form` and `path_compromise`."""

import math

import msgspec
import numpy as np
import pytest

from experiments.lab.studies.closed_form import (
    EXPERIMENT,
    FORMS,
    ClosedFormParameters,
    Formula,
)
from experiments.lab.studies.path_compromise import EXPERIMENT as PATHS
from experiments.lab.studies.path_compromise import PathParameters, Routes, dealt
from hushmill.errors import ExitCode, UserError

SEED = np.random.SeedSequence(23)


def value(**arguments: object) -> float:
    parameters = msgspec.convert(arguments, ClosedFormParameters)
    return EXPERIMENT.run(parameters, SEED).measures["value"].value


def test_every_formula_has_its_arguments_among_the_keys() -> None:
    assert set(FORMS) == set(Formula)
    keys = {field.name for field in msgspec.structs.fields(ClosedFormParameters)}
    used = {key for form in FORMS.values() for key in form.arguments}
    assert used == keys - {"formula"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 4.7630),
        ({"formula": "single_mix_entropy", "packets_held": 45}, 6.9345),
        ({"formula": "single_mix_entropy_limit", "packets_held": 50}, 7.087),
        ({"formula": "pool_mix_entropy", "arrivals": 100, "kept": 10}, 7.1273),
        ({"formula": "path_compromise", "nodes": 100, "corrupt": 10, "layers": 4}, 5.3555e-5),
        ({"formula": "fifo_guess", "user_rate": 1, "mix_rate": 1}, 0.75),
        ({"formula": "trilemma", "latency_hops": 10, "cover_share": 0.01}, 0.2),
        ({"formula": "older_message", "initial": 10, "arrived": 3, "remaining": 4}, 4 / 70),
        ({"formula": "layer_compromise", "width": 4, "corrupt_in_layer": [1, 2]}, 1 / 8),
    ],
)
def test_published_values_by_their_parameters(
    arguments: dict[str, object], expected: float
) -> None:
    assert value(**arguments) == pytest.approx(expected, abs=5e-4 * max(expected, 1e-4))


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"formula": "pool_mix_entropy", "arrivals": 100}, "kept"),
        ({"formula": "trilemma", "latency_hops": 1, "cover_share": 0.1, "kept": 2}, "kept"),
        ({"formula": "fifo_guess", "user_rate": -1, "mix_rate": 1}, "user_rate"),
        ({"formula": "pool_mix_entropy", "arrivals": 0, "kept": 1}, "arrivals"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], key: str) -> None:
    with pytest.raises(UserError, match=rf"^{key}\b"):
        value(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"formula": "layered_entropy", "rate_per_second": 5e-324, "mean_delay_seconds": 0.1},
        {"formula": "layered_entropy", "rate_per_second": 1e308, "mean_delay_seconds": 1e308},
        {"formula": "packet_entropy", "rate_per_second": 1e308, "mean_delay_seconds": 1e308},
        {"formula": "packet_entropy", "rate_per_second": 1, "mean_delay_seconds": 1}
        | {"layers": 10**15},
        {"formula": "path_compromise", "nodes": 10**15, "corrupt": 10**15, "layers": 10**15},
        {"formula": "least_squares_error", "rounds": 1, "batch": 1, "sender_share": 5e-324}
        | {"profile": [0.5, 0.5]},
    ],
)
def test_what_has_no_finite_value_is_refused(arguments: dict[str, object]) -> None:
    network: dict[str, object] = {}
    if "rate_per_second" in arguments:
        network = {"layers": 3, "width": 2}
    with pytest.raises(UserError) as refusal:
        value(**(network | arguments))
    assert refusal.value.exit_code is ExitCode.USAGE


def test_counts_of_more_than_a_double_holds_exactly_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        value(formula="pool_mix_entropy", arrivals=10**400, kept=1)


@pytest.mark.parametrize("routes_from", list(Routes))
def test_drawn_routes_are_compromised_as_the_closed_form_says(routes_from: Routes) -> None:
    parameters = PathParameters(routes_from=routes_from, nodes=20, corrupt=9, layers=3)
    found = PATHS.run(parameters, SEED).measures
    closed = found["closed_form"].value
    error = math.sqrt(closed * (1 - closed) / 1_000_000)
    assert abs(found["compromised"].value - closed) < 4 * error
    trials = 1_000_000 if routes_from is Routes.FREE_ROUTE else None
    assert found["compromised"].trials == trials


def test_rows_a16_are_the_drawn_routes() -> None:
    found = PATHS.run(PathParameters(layers=2), SEED).measures
    assert found["closed_form"].value == pytest.approx(9.0909e-3, rel=1e-4)
    assert found["compromised"].value == pytest.approx(9.0909e-3, rel=0.05)


def test_layers_are_dealt_all_nodes_evenly_and_average_to_the_free_route() -> None:
    rng = np.random.default_rng(1)
    parameters = PathParameters(routes_from=Routes.STRATIFIED, nodes=10, corrupt=5)
    products = []
    for _ in range(1500):
        sizes, corrupt = dealt(parameters, rng)
        assert sizes == [4, 3, 3]
        assert sum(corrupt) == 5
        products.append(math.prod(c / s for c, s in zip(corrupt, sizes, strict=True)))
    free = 5 / 10 * 4 / 9 * 3 / 8
    assert np.mean(products) == pytest.approx(free, rel=0.08)


def test_more_corrupt_nodes_than_nodes_are_refused() -> None:
    with pytest.raises(UserError, match=r"^corrupt:"):
        PATHS.run(PathParameters(corrupt=101), SEED)
    with pytest.raises(UserError, match=r"^layers:"):
        PATHS.run(PathParameters(nodes=3, corrupt=1, layers=4), SEED)
