"""Experiment `path_compromise`: how often every mix of a route is corrupt, by drawing routes.

Spec: docs/spec/laboratory.md (Routes).
"""

import math
from enum import StrEnum
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.room import WORK_MAX, require_room
from hushmill.errors import ExitCode, UserError
from pki import layer_compromise_probability, path_compromise_probability

Places = NDArray[np.int64]
CHUNK = 1_000_000  # routes drawn at a time, of eight nodes or fewer


class Routes(StrEnum):
    FREE_ROUTE = "free_route"  # distinct nodes, drawn from all
    STRATIFIED = "stratified"  # nodes are dealt into layers of even size; one is drawn of each


class PathParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    routes_from: Annotated[Routes, described("How routes are drawn.")] = Routes.FREE_ROUTE
    nodes: Annotated[int, described("Nodes in all.", ge=1, le=1_000_000)] = 100
    corrupt: Annotated[int, described("Corrupt nodes among them.", ge=0)] = 10
    layers: Annotated[int, described("Nodes on every route.", ge=1, le=64)] = 3
    routes: Annotated[int, described("Routes drawn.", ge=1, le=1_000_000_000)] = 1_000_000


def run(parameters: PathParameters, seed: np.random.SeedSequence) -> Outcome:
    """With stratified routes the nodes are dealt into layers once a replicate: `closed_form` is
    that network's, and `mean_over_networks` what it is on average over all ways to deal. Routes
    of one deal are no independent trials of the latter: the interval is over replicates."""
    if parameters.corrupt > parameters.nodes:
        raise UserError("corrupt: more than there are nodes.", ExitCode.USAGE)
    if parameters.layers > parameters.nodes:
        raise UserError("layers: more than there are nodes.", ExitCode.USAGE)
    sorted_nodes = float(parameters.routes) * parameters.layers**2
    require_room("routes, layers", "nodes compared (routes * layers²)", sorted_nodes, WORK_MAX)
    rng = np.random.default_rng(seed)
    mean = path_compromise_probability(parameters.nodes, parameters.corrupt, parameters.layers)
    closed = mean
    sizes, corrupt = dealt(parameters, rng)
    if parameters.routes_from is Routes.STRATIFIED:
        closed = math.prod(
            layer_compromise_probability(size, [bad])
            for size, bad in zip(sizes, corrupt, strict=True)
        )
    compromised = 0
    is_dealt = parameters.routes_from is Routes.STRATIFIED
    chunk = min(CHUNK, 8 * CHUNK // parameters.layers)
    for start in range(0, parameters.routes, chunk):
        count = min(chunk, parameters.routes - start)
        if is_dealt:
            compromised += _stratified(count, sizes, corrupt, rng)
        else:
            compromised += _free(parameters, count, rng)
    share = compromised / parameters.routes
    trials = None if is_dealt else parameters.routes
    return Outcome(
        {
            "compromised": Measure(share, "probability", Quality.SAMPLED, trials),
            "closed_form": Measure(closed, "probability", Quality.EXACT),
            "mean_over_networks": Measure(mean, "probability", Quality.EXACT),
        }
    )


def dealt(parameters: PathParameters, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Nodes and corrupt nodes of each layer, all nodes dealt out at random and evenly."""
    nodes, layers = parameters.nodes, parameters.layers
    sizes = [nodes // layers + (layer < nodes % layers) for layer in range(layers)]
    is_corrupt = rng.permutation(nodes) < parameters.corrupt
    parts = np.split(is_corrupt, np.cumsum(sizes)[:-1])
    return sizes, [int(part.sum()) for part in parts]


def _free(parameters: PathParameters, count: int, rng: np.random.Generator) -> int:
    """Of `count` routes of distinct nodes how many are corrupt throughout. Nodes below `corrupt`
    are; a route that has met an honest node is not drawn on."""
    chosen = np.empty((count, 0), dtype=np.int64)
    for hop in range(parameters.layers):
        drawn = rng.integers(0, parameters.nodes - hop, len(chosen))
        for earlier in np.sort(chosen, axis=1).T:
            drawn += drawn >= earlier  # counts on past the nodes that the route has already
        is_bad = drawn < parameters.corrupt
        chosen = np.column_stack((chosen, drawn))[is_bad]
    return len(chosen)


def _stratified(count: int, sizes: list[int], corrupt: list[int], rng: np.random.Generator) -> int:
    for size, bad in zip(sizes, corrupt, strict=True):
        count = int((rng.integers(0, size, count) < bad).sum())
    return count


EXPERIMENT = Experiment(
    name="path_compromise",
    summary="How often all mixes of a route are corrupt, by drawing routes.",
    parameters=PathParameters,
    run=run,
)
