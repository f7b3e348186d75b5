"""Experiment `correlation`: whether a sender's link can be matched with its receiver's.

Spec: docs/spec/laboratory.md (Links).
"""

from typing import Annotated

import numpy as np

from experiments.lab.adversaries.correlation import (
    QUALITY,
    correlation_scores,
    likelihood_scores,
)
from experiments.lab.adversaries.counts import (
    LAGS_MAX,
    counted,
    even_windows,
    exponential_lags,
)
from experiments.lab.metrics.roc import area_error, roc_area, true_positive_share
from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.room import CELLS_MAX, WORK_MAX, require_room
from experiments.lab.sources.links import LinkParameters, simulate_links
from experiments.lab.trace import Floats, Ints, observe
from hushmill.errors import ExitCode, UserError


class CorrelationParameters(LinkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    window_seconds: Annotated[float, described("Length of the windows counted.", gt=0)] = 2.0
    false_positive_share: Annotated[
        float, described("Share of wrong pairs that may be called matches.", gt=0, lt=1)
    ] = 0.01


def run(parameters: CorrelationParameters, seed: np.random.SeedSequence) -> Outcome:
    if parameters.window_seconds * 2 > parameters.seconds:
        raise UserError("window_seconds: at most half of `seconds`.", ExitCode.USAGE)
    _require_room(parameters)
    links = simulate_links(parameters, np.random.default_rng(seed))
    seen, _ = observe(links.trace)
    counts = counted(seen, even_windows(0.0, parameters.seconds, parameters.window_seconds))
    inputs, outputs = counts.sent[:, : parameters.pairs], counts.received[:, parameters.pairs :]
    lags = exponential_lags(
        parameters.window_seconds, parameters.mean_delay_seconds, parameters.layers
    )
    busy = np.flatnonzero(links.is_busy)
    measures: dict[str, Measure] = {}
    for name, scores in (
        ("correlation", correlation_scores(inputs, outputs, lags)),
        ("likelihood", likelihood_scores(inputs, outputs, lags)),
    ):
        right, wrong = split_pairs(scores[busy], links.partner[busy])
        measures |= _measures(name, right, wrong, parameters.false_positive_share)
    return Outcome(measures)


def _require_room(parameters: CorrelationParameters) -> None:
    windows = parameters.seconds / parameters.window_seconds
    pairs = float(parameters.pairs)
    cells = 2 * pairs * windows
    require_room("window_seconds, seconds, pairs", "counts by window", cells, CELLS_MAX / 5)
    require_room("pairs, window_seconds", "operations", windows * pairs**2, WORK_MAX)
    hold = (parameters.layers + 20) * parameters.mean_delay_seconds / parameters.window_seconds
    work = min(hold, LAGS_MAX, windows) * cells
    require_room("mean_delay_seconds, window_seconds", "operations", work, WORK_MAX)


def split_pairs(scores: Floats, partner: Ints) -> tuple[Floats, Floats]:
    """The scores of the right pairs and those of all others."""
    is_right = np.zeros(scores.shape, dtype=np.bool_)
    is_right[np.arange(len(scores)), partner] = True
    return scores[is_right], scores[~is_right]


def _measures(name: str, right: Floats, wrong: Floats, allowed: float) -> dict[str, Measure]:
    area = roc_area(right, wrong)
    error = area_error(area, len(right), len(wrong))
    found = true_positive_share(right, wrong, allowed)
    # Pairs of one run share the links and the threshold: no independent trials.
    return {
        f"{name}_auc": Measure(area, "area", QUALITY),
        f"{name}_auc_error": Measure(error, "area", Quality.APPROXIMATE),
        f"{name}_true_positive_share": Measure(found, "share", QUALITY),
    }


EXPERIMENT = Experiment(
    name="correlation",
    summary="Matching senders' links with receivers' by their traffic, with and without cover.",
    parameters=CorrelationParameters,
    run=run,
)
