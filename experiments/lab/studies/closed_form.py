"""Experiment `closed_form`: one of the closed forms of `pki`, for the arguments given.

So that a sweep can draw it, and a published value can be checked by its parameters alone.
Spec: docs/spec/laboratory.md (Closed forms).
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
import numpy as np

import pki
from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from hushmill.errors import ExitCode, UsageError, UserError


class Formula(StrEnum):
    SINGLE_MIX_ENTROPY = "single_mix_entropy"
    SINGLE_MIX_ENTROPY_LIMIT = "single_mix_entropy_limit"
    LAYERED_ENTROPY = "layered_entropy"
    PACKET_ENTROPY = "packet_entropy"
    SENDER_ENTROPY = "sender_entropy"
    POOL_MIX_ENTROPY = "pool_mix_entropy"
    PATH_COMPROMISE = "path_compromise"
    LAYER_COMPROMISE = "layer_compromise"
    FIFO_GUESS = "fifo_guess"
    BLENDING = "blending"
    OLDER_MESSAGE = "older_message"
    NEWER_MESSAGE = "newer_message"
    TRILEMMA = "trilemma"
    LEAST_SQUARES_ERROR = "least_squares_error"


@dataclass(frozen=True, slots=True)
class _Form:
    """A closed form: its arguments are keys of the experiment, by the same names."""

    function: Callable[..., float]
    unit: str
    quality: Quality

    @property
    def arguments(self) -> list[str]:
        return list(inspect.signature(self.function).parameters)


_EXACT, _APPROXIMATE = Quality.EXACT, Quality.APPROXIMATE
FORMS = {
    Formula.SINGLE_MIX_ENTROPY: _Form(pki.single_mix_entropy_bits, "bits", _EXACT),
    Formula.SINGLE_MIX_ENTROPY_LIMIT: _Form(
        pki.single_mix_entropy_limit_bits, "bits", _APPROXIMATE
    ),
    Formula.LAYERED_ENTROPY: _Form(pki.layered_entropy_bits, "bits", _APPROXIMATE),
    Formula.PACKET_ENTROPY: _Form(pki.packet_entropy_bits, "bits", _APPROXIMATE),
    Formula.SENDER_ENTROPY: _Form(pki.sender_entropy_bits, "bits", _APPROXIMATE),
    Formula.POOL_MIX_ENTROPY: _Form(pki.pool_mix_entropy_bits, "bits", _EXACT),
    Formula.PATH_COMPROMISE: _Form(pki.path_compromise_probability, "probability", _EXACT),
    Formula.LAYER_COMPROMISE: _Form(pki.layer_compromise_probability, "probability", _EXACT),
    Formula.FIFO_GUESS: _Form(pki.fifo_guess_probability, "probability", _EXACT),
    Formula.BLENDING: _Form(pki.blending_probability, "probability", _APPROXIMATE),
    Formula.OLDER_MESSAGE: _Form(pki.older_message_probability, "probability", _EXACT),
    Formula.NEWER_MESSAGE: _Form(pki.newer_message_probability, "probability", _EXACT),
    Formula.TRILEMMA: _Form(pki.trilemma_bound, "1 - epsilon", _EXACT),
    Formula.LEAST_SQUARES_ERROR: _Form(pki.least_squares_error, "per user", _APPROXIMATE),
}


Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]  # exact as a double, and so are sums


class ClosedFormParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The arguments of all forms; a form takes its own, all of them and no other."""

    formula: Annotated[Formula, described("Which closed form.")] = Formula.SINGLE_MIX_ENTROPY
    packets_held: Annotated[float | None, described("Mean packets in one mix.")] = 10.0
    rate_per_second: Annotated[
        float | None, described("Packets a second that cross each layer.")
    ] = None
    mean_delay_seconds: Annotated[float | None, described("Mean delay at each mix.")] = None
    layers: Annotated[Amount | None, described("Mixes on every route.")] = None
    width: Annotated[Amount | None, described("Mixes a layer.")] = None
    clients: Annotated[float | None, described("People who send at equal rates.")] = None
    arrivals: Annotated[Amount | None, described("Packets that come to a pool mix a round.")] = None
    kept: Annotated[Amount | None, described("Packets that a pool mix keeps.")] = None
    nodes: Annotated[Amount | None, described("Nodes of which a route is drawn.")] = None
    corrupt: Annotated[Amount | None, described("Corrupt nodes among them.")] = None
    corrupt_in_layer: Annotated[
        tuple[Amount, ...] | None, described("Corrupt mixes of each layer.")
    ] = None
    user_rate: Annotated[float | None, described("A user's packets a second.")] = None
    mix_rate: Annotated[float | None, described("One over the mean delay of a mix.")] = None
    loop_rate: Annotated[float | None, described("Loops a second that the mix sends.")] = None
    other_rate: Annotated[float | None, described("Other packets a second for the mix.")] = None
    thinning: Annotated[
        float | None, described("The attacker lets one in so many of them through.")
    ] = None
    initial: Annotated[Amount | None, described("Messages in the mix at first.")] = None
    arrived: Annotated[Amount | None, described("Messages that came later.")] = None
    remaining: Annotated[Amount | None, described("Messages of the first that are still in.")] = (
        None
    )
    latency_hops: Annotated[float | None, described("Latency in rounds.")] = None
    cover_share: Annotated[float | None, described("Packets a user sends a round.")] = None
    rounds: Annotated[float | None, described("Rounds observed.")] = None
    batch: Annotated[float | None, described("Messages a round.")] = None
    sender_share: Annotated[float | None, described("A user's share of the messages.")] = None
    profile: Annotated[
        tuple[float, ...] | None, described("Share of a user's messages for each receiver.")
    ] = None


def run(parameters: ClosedFormParameters, seed: np.random.SeedSequence) -> Outcome:
    """The value; `seed` is not drawn from. A key left at its default counts as not given to a
    formula that does not take it."""
    form = FORMS[parameters.formula]
    given = {
        key: value
        for key, value in msgspec.structs.asdict(parameters).items()
        if key != "formula" and value is not None
    }
    takes = ", ".join(form.arguments)
    for key in form.arguments:
        if key not in given:
            raise UserError(
                f"{key}: missing. The formula {parameters.formula} takes {takes}.", ExitCode.USAGE
            )
    defaults = ClosedFormParameters()
    for key, value in given.items():
        if key not in form.arguments and value != getattr(defaults, key):
            raise UserError(
                f"{key}: not one of what the formula {parameters.formula} takes: {takes}.",
                ExitCode.USAGE,
            )
    try:
        value = form.function(**{key: given[key] for key in form.arguments})
    except UsageError as error:
        raise UserError(f"{takes}: {error}.", ExitCode.USAGE) from error
    except ArithmeticError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{takes}: the value is beyond what a number can hold.", ExitCode.USAGE)
    return Outcome({"value": Measure(float(value), form.unit, form.quality)})


EXPERIMENT = Experiment(
    name="closed_form",
    summary="One of the closed forms, for given arguments.",
    parameters=ClosedFormParameters,
    run=run,
    is_random=False,
)
