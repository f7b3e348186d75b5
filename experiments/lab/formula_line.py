"""A closed form of `pki` over an axis; its arguments are a point's parameters, by name."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence

import pki
from experiments.lab.keys import meant
from experiments.lab.outcome import Quality
from experiments.lab.runs.summary import cell_text
from hushmill.errors import ExitCode, UsageError, UserError

FORMULAS_MODULE = "pki.anonymity"
# Formulas that bound or approach what they stand for; `pki.anonymity` says how far.
APPROXIMATE = {
    "single_mix_entropy_limit_bits",
    "layered_entropy_bits",
    "packet_entropy_bits",
    "sender_entropy_bits",
    "blending_probability",
    "least_squares_error",
}
DENSE = 60  # places on the x axis where the formula is drawn between the points
# What a mix's load follows from.
HELD = ("rate_per_second", "mean_delay_seconds", "width")
# What each client of the shipped programs sends a second, whether it has words or not.
CLIENT_RATES = ("payload_rate", "loop_rate", "drop_rate")
Formula = Callable[..., float]


def formulas() -> dict[str, Formula]:
    """The closed forms that the product shares, by name."""
    found = {name: getattr(pki, name) for name in pki.__all__}
    return {
        name: one
        for name, one in found.items()
        if inspect.isfunction(one) and one.__module__ == FORMULAS_MODULE
    }


def formula_quality(name: str) -> Quality:
    return Quality.APPROXIMATE if name in APPROXIMATE else Quality.EXACT


def formula_line(
    name: str,
    x: str,
    parameters: Mapping[str, object],
    places: Sequence[object],
    *,
    is_dense: bool,
    is_log: bool,
) -> list[tuple[str, float]]:
    """(x, y) of the formula `name` with `parameters`, as the key `x` runs over `places`; between
    them too where they are floats. Places for which the formula is not defined are left out.

    Raises UserError(USAGE) without such a formula, or if a parameter for it is missing.
    """
    known = formulas()
    if name not in known:
        near = meant(name, known) or "."
        text = f"figure.closed_form: there is no {name}{near} There are: {', '.join(known)}."
        raise UserError(text, ExitCode.USAGE)
    along = list(places)
    if is_dense and all(isinstance(place, float) for place in places):
        along = [*_between([float(str(place)) for place in places], is_log=is_log)]
    found: list[tuple[str, float]] = []
    for place in along:
        here = {**parameters, x: place} if x in parameters else dict(parameters)
        arguments = _arguments(name, known[name], _in_model_words(here))
        try:
            value = float(known[name](**arguments))
        except UsageError:
            continue
        if math.isfinite(value):
            found.append((cell_text(place), value))
    return found


def _in_model_words(parameters: Mapping[str, object]) -> Mapping[str, object]:
    """`parameters`, and what those of the shipped programs are in the network model's words. With
    cover off the rate follows from what people write, and there is none."""
    if not set(parameters) >= {"clients", "mixes_a_layer", *CLIENT_RATES}:
        return parameters
    found = {"width": parameters["mixes_a_layer"], **parameters}
    if parameters.get("cover", True):
        rates = sum(float(str(parameters[key])) for key in CLIENT_RATES)
        found["rate_per_second"] = float(str(parameters["clients"])) * rates
    return found


def _between(places: Sequence[float], *, is_log: bool) -> list[float]:
    """The places themselves and DENSE others between the ends, evenly as the axis shows them."""
    low, high = min(places), max(places)
    if is_log and low > 0:
        steps = [low * (high / low) ** (step / DENSE) for step in range(DENSE + 1)]
    else:
        steps = [low + (high - low) * step / DENSE for step in range(DENSE + 1)]
    return sorted({*places, *(step for step in steps if low < step < high)})


def _arguments(name: str, formula: Formula, parameters: Mapping[str, object]) -> dict[str, object]:
    """Each argument by its name. `packets_held` is what a mix holds on average, by Little's law:
    the rate that comes to it times the mean delay."""
    found: dict[str, object] = {}
    for argument in inspect.signature(formula).parameters.values():
        if argument.name in parameters:
            found[argument.name] = parameters[argument.name]
        elif argument.name == "packets_held" and set(parameters) >= set(HELD):
            rate, delay, width = (float(str(parameters[key])) for key in HELD)
            found[argument.name] = rate * delay / width
        elif argument.default is inspect.Parameter.empty:
            raise UserError(
                f"figure.closed_form: {name} needs {argument.name}, and the experiment has no such "
                "key.",
                ExitCode.USAGE,
            )
    return found
