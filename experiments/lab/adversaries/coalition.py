"""Which mixes work for the observer."""

import numpy as np

from experiments.lab.model import NetworkParameters, Topology
from experiments.lab.trace import Flags
from hushmill.errors import ExitCode, UserError


def corrupt_in_layers(
    parameters: NetworkParameters, corrupt_per_layer: int, rng: np.random.Generator
) -> Flags:
    """[mixes] so many of each layer, drawn at random; mixes are numbered layer by layer.

    Raises UserError(USAGE) if a layer has not so many, or mixes have no layers.
    """
    if corrupt_per_layer > parameters.width:
        raise UserError("corrupt_per_layer: more than a layer has mixes.", ExitCode.USAGE)
    if corrupt_per_layer and parameters.topology is not Topology.STRATIFIED:
        raise UserError("corrupt_per_layer: only stratified networks have layers.", ExitCode.USAGE)
    count = parameters.layers * parameters.width
    if parameters.topology is Topology.PEER_TO_PEER:
        count = parameters.users
    flags = np.zeros(count, dtype=np.bool_)
    if corrupt_per_layer:
        for layer in flags.reshape(parameters.layers, parameters.width):
            layer[rng.choice(parameters.width, corrupt_per_layer, replace=False)] = True
    return flags
