"""Experiment `rows`: what an observer makes of a recording, of a local network or of another's log.

Spec: docs/spec/laboratory.md (Rows, Imported logs).
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from experiments.lab.metrics.journeys import journeys_of
from experiments.lab.model import NetworkParameters, described
from experiments.lab.observer import TARGETS, doubts_of, one_a_layer, window_between
from experiments.lab.outcome import Experiment, Outcome
from experiments.lab.room import CELLS_MAX, require_room
from experiments.lab.sources.cores import HOP_SECONDS
from experiments.lab.sources.rows import Reading, layers_of, senders_of, trace_of_rows
from experiments.lab.sources.trace_log import read_trace
from experiments.lab.sources.vector import settling_seconds
from experiments.lab.studies.recorded import measures_of
from experiments.lab.trace import Event, Trace
from experiments.trace import Row, read_rows
from hushmill.errors import ExitCode, UserError
from pki import NETWORK_FILE, Genesis, read_genesis

TRACES_FOLDER = "traces"


class RowsParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    folder: Annotated[
        str, described("A local network's folder, run by `testnet up FOLDER --trace`.")
    ] = ""
    file: Annotated[str, described("An imported trace, .csv or .jsonl, in place of `folder`.")] = ""
    sha256: Annotated[
        str, described("Hash of what the recording holds; filled in when a run is begun.")
    ] = ""
    settling_seconds: Annotated[
        float,
        described(
            "Targets are so far from the first packet and from the end. 0: what the network's "
            "parameters ask for, or else the longest latency in the recording.",
            ge=0,
        ),
    ] = 0.0
    corrupt_per_layer: Annotated[
        int, described("Mixes of each layer that tell the observer what they did.", ge=0)
    ] = 0
    targets: Annotated[int, described("Packets to trace, evenly over the recording.", ge=1)] = (
        TARGETS
    )


def run(parameters: RowsParameters, _seed: np.random.SeedSequence) -> Outcome:
    if bool(parameters.folder) == bool(parameters.file):
        raise UserError("folder, file: give one of the two, and not both.", ExitCode.USAGE)
    _require_content(parameters.sha256, content_hash(parameters.folder, parameters.file))
    if parameters.file:
        trace, settling = read_trace(Path(parameters.file)), 0.0
    else:
        trace, settling = recorded(Path(parameters.folder))
    delivered = int(np.count_nonzero(trace.kind == Event.DELIVER))
    require_room("folder, file", "people by deliveries", trace.people * delivered, CELLS_MAX)
    settling = parameters.settling_seconds or settling or _longest_latency(trace)
    window = window_between(trace, settling)
    corrupt = one_a_layer(trace, parameters.corrupt_per_layer)
    doubts = doubts_of(trace, window, corrupt, parameters.targets, deliveries=window)
    if not doubts.packet.packets:
        raise UserError(
            "settling_seconds: no packet was sent between the first "
            f"{settling:g} s of the recording and its last. Record for longer.",
            ExitCode.USAGE,
        )
    return Outcome(measures_of(trace, window, doubts))


def pin(fixed: Mapping[str, Any], varying: Collection[str]) -> Mapping[str, Any]:
    """The hash of the recording, so that another recording of the same name is another run, and a
    worker elsewhere that has another one refuses.

    Raises UserError(USAGE) for a recording that varies (each is a run of its own), or that is not
    the one whose hash is given.
    """
    places = {key: str(fixed.get(key, "")) for key in ("folder", "file")}
    for key in places:
        if key in varying:
            raise UserError(f"{key}: a run is of one recording.", ExitCode.USAGE)
    if bool(places["folder"]) == bool(places["file"]):
        return {}  # `run` says what is wrong
    found = content_hash(places["folder"], places["file"])
    _require_content(str(fixed.get("sha256", "")), found)
    return {"sha256": found}


def _require_content(wanted: str, found: str) -> None:
    if wanted not in ("", found):
        raise UserError(
            "folder, file: the recording is another than the one that the run was begun with.",
            ExitCode.USAGE,
        )


def content_hash(folder: str, file: str) -> str:
    """SHA-256, in hexadecimal, over names and bytes of what `run` reads; of what is not there the
    reading itself will speak."""
    paths = [Path(file)]
    if folder:
        rows = sorted((Path(folder) / TRACES_FOLDER).glob("*.jsonl"))
        paths = [*rows, Path(folder) / NETWORK_FILE]
    found = hashlib.sha256()
    try:
        for path in paths:
            if path.is_file():
                found.update(path.name.encode() + b"\0")
                with path.open("rb") as content:
                    found.update(hashlib.file_digest(content, "sha256").digest())
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be read: {error.strerror}.", ExitCode.USAGE
        ) from error
    return found.hexdigest()


def recorded(folder: Path) -> tuple[Trace, float]:
    """The trace of a local network's recording, and how many seconds its pools take to settle; 0 if
    there is no genesis that says so.

    Raises UserError: NOT_FOUND without a recording in `folder`, USAGE for one that is damaged.
    """
    paths = sorted((folder / TRACES_FOLDER).glob("*.jsonl"))
    if not paths:
        raise UserError(
            f"folder: there is no recording in {folder / TRACES_FOLDER}. Make one: "
            f"hushmill testnet up {folder} --trace",
            ExitCode.NOT_FOUND,
        )
    try:
        rows = read_rows(paths)
    except ValueError as error:
        raise UserError(f"folder: {error}.", ExitCode.USAGE) from error
    network = folder / NETWORK_FILE
    if network.exists():
        genesis = read_genesis(network.read_bytes())
        return _trace_of(rows, _layers_in(genesis)), _settling(genesis)
    return _trace_of(rows, layers_of(rows)), 0.0


def _trace_of(rows: list[Row], layers: dict[int, int]) -> Trace:
    senders = senders_of(rows)
    reading = Reading(
        layers=layers,
        people=len(senders),
        sender_of=lambda row: senders[row.at, row.client],
    )
    return trace_of_rows(rows, reading)


def _layers_in(genesis: Genesis) -> dict[int, int]:
    return {int(node.number): node.layer - 1 for node in genesis.nodes if node.role == "mix"}


def _settling(genesis: Genesis) -> float:
    """0 for timed pools, whose hold depends on their load: the recording must tell."""
    parameters = genesis.parameters
    if parameters.mixing == "timed_pool":
        return 0.0
    return settling_seconds(
        NetworkParameters(
            layers=parameters.layers,
            mean_delay_seconds=parameters.delay_mean_seconds,
            link_seconds=HOP_SECONDS,
        )
    )


def _longest_latency(trace: Trace) -> float:
    latency = journeys_of(trace).latency_seconds
    known = latency[~np.isnan(latency)]
    return float(known.max()) if len(known) else 0.0


EXPERIMENT = Experiment(
    name="rows",
    summary="A recording of a local network, or an imported log, seen by a global observer.",
    parameters=RowsParameters,
    run=run,
    is_random=False,
    pin=pin,
)
