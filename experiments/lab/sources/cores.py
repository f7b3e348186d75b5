"""The shipped cores in virtual time as a source of traces: what is measured is what is run.

Client, pacer, mix and provider are the product's own cores (`experiments/simnet`); only clock,
links and disks are simulated. So there is what a simulation of mixes leaves out: delays that end at
the next tick of 5 ms, at the earliest after a sync of 1 ms; a cap at ten means; links of 1 ms; the
provider's limit on each client's rate; mixes' own loops. Spec: docs/spec/laboratory.md (Cores).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from client import Text
from experiments.lab.model import NetworkParameters, described
from experiments.lab.sources.rows import Reading, trace_of_rows
from experiments.lab.sources.vector import settling_seconds
from experiments.lab.trace import Trace
from experiments.simnet.client_machine import ClientMachine
from experiments.simnet.world import World, WorldPlan
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import Parameters

WARM_UP_LIMIT_SECONDS = 600.0  # of virtual time, for the first document to reach every client
MEETING_LIMIT_SECONDS = 600.0
# Divisors of a day, since a run begins at an epoch's boundary; the shorter, the sooner the first
# document is out.
EPOCHS_SECONDS = (300, 3600, 21_600, 86_400)
SKEW_SECONDS = 2
# What a hop takes beside its delay: a link, the sync, and up to two ticks.
HOP_SECONDS = 0.012
LETTER = "one line of a talk that two people have"


class CoresParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rates are packets a second of one client, or loops a second of one mix."""

    clients: Annotated[int, described("People who are on all the time.", ge=1, le=1000)] = 4
    mixes_a_layer: Annotated[
        int, described("Mixes a layer; one in all layers is a cascade.", ge=1, le=50)
    ] = 2
    layers: Annotated[int, described("Mixes on every route.", ge=1, le=15)] = 3
    mean_delay_seconds: Annotated[float, described("Mean delay at each mix.", gt=0, le=60)] = 0.2
    payload_rate: Annotated[
        float, described("Slots a second for words or drop cover.", gt=0, le=1000)
    ] = 5.0
    loop_rate: Annotated[float, described("A client's loops a second.", ge=0, le=1000)] = 1.0
    drop_rate: Annotated[float, described("Drop cover a second.", ge=0, le=1000)] = 1.0
    mix_loop_rate: Annotated[float, described("A mix's own loops a second.", ge=0, le=1000)] = 1.0
    cover: Annotated[bool, described("Whether slots without words are filled.")] = True
    letters_per_minute: Annotated[
        float, described("Letters a minute that each person of a pair writes.", ge=0, le=600)
    ] = 0.0
    seconds: Annotated[
        float, described("Virtual time from which targets are taken.", gt=0, le=86_400)
    ] = 60.0


@dataclass(frozen=True, slots=True)
class CoresRun:
    """A whole run, from a network that holds nothing: no packet is from before the trace.

    `first` and `last` (seconds of the trace) bound the stationary part, in which targets are sent:
    pools have filled before, and after it all but a share of 1e-7 of its packets have ended.
    """

    trace: Trace
    first: float
    last: float


def run_cores(parameters: CoresParameters, seed: np.random.SeedSequence) -> CoresRun:
    """What the programs do with `parameters`; the same seed gives the same trace.

    Raises UserError(USAGE) where nothing would be sent, and where a letter has no reader.
    """
    _check(parameters)
    letters_seed, world_seed = seed.spawn(2)
    world = World(
        WorldPlan(
            seed=int.from_bytes(world_seed.generate_state(4, np.uint32).tobytes(), "big"),
            clients=parameters.clients,
            parameters=_constants(parameters),
            mixes_a_layer=parameters.mixes_a_layer,
            cover=parameters.cover,
        )
    )
    warm_up(world)
    pairs = list(zip(world.clients[::2], world.clients[1::2], strict=False))
    if parameters.letters_per_minute > 0:
        _introduce(world, pairs)
    settling = settling_seconds(
        NetworkParameters(
            layers=parameters.layers,
            mean_delay_seconds=parameters.mean_delay_seconds,
            link_seconds=HOP_SECONDS,
        )
    )
    end = world.clock.now + settling + parameters.seconds
    _plan_letters(world, pairs, parameters, end, np.random.default_rng(letters_seed))
    world.run_for(settling + parameters.seconds + settling)
    layers = {
        int(node.number): node.layer - 1 for node in world.genesis.nodes if node.role == "mix"
    }
    reading = Reading(layers=layers, people=parameters.clients, genres=world.genres)
    start = world.rows[0].time
    return CoresRun(
        trace_of_rows(world.rows, reading), end - parameters.seconds - start, end - start
    )


def _check(parameters: CoresParameters) -> None:
    if not parameters.cover and parameters.letters_per_minute == 0:
        raise UserError(
            "cover: with cover off and letters_per_minute = 0 nobody sends a packet. Give "
            "letters_per_minute.",
            ExitCode.USAGE,
        )
    if parameters.letters_per_minute > 0 and parameters.clients < 2:
        raise UserError("letters_per_minute: a letter takes two clients.", ExitCode.USAGE)


def _constants(parameters: CoresParameters) -> Parameters:
    """A genesis' constants, with an epoch long enough for the delays."""
    for epoch_seconds in EPOCHS_SECONDS:
        constants = Parameters(
            suite="x25519",
            layers=parameters.layers,
            epoch_seconds=epoch_seconds,
            skew_seconds=SKEW_SECONDS,
            delay_mean_seconds=parameters.mean_delay_seconds,
            payload_rate=parameters.payload_rate,
            loop_rate=parameters.loop_rate,
            drop_rate=parameters.drop_rate,
            mix_loop_rate=parameters.mix_loop_rate,
            acknowledgement_active_seconds=2.0,
            acknowledgement_idle_seconds=20.0,
        )
        if constants.key_grace_seconds < epoch_seconds / 2:
            break
    return constants


def warm_up(world: World) -> None:
    """Until every node and every client has a document, and every client its link. Before, nodes
    refuse packets of others whom they do not know yet."""

    def all_have_documents() -> bool:
        if not all(node.has_consensus for node in world.nodes.values()):
            return False
        statuses = (client.messenger.status(world.clock.now) for client in world.clients)
        return all(status.link_up and status.document_epoch is not None for status in statuses)

    if not world.run_until(all_have_documents, WARM_UP_LIMIT_SECONDS):
        raise UserError(
            f"clients: not all of them have a document after {WARM_UP_LIMIT_SECONDS:g} s of "
            "virtual time. Give higher rates, by which clients fetch it.",
            ExitCode.USAGE,
        )


def _introduce(world: World, pairs: list[tuple[ClientMachine, ClientMachine]]) -> None:
    """Every first of a pair invites the second, until all are each other's contacts."""
    for inviter, invited in pairs:
        now = world.clock.now
        invitation = inviter.messenger.invite(invited.name, now)
        invited.messenger.add(invitation.text(), inviter.name, now)

    def all_met() -> bool:
        people = [person for pair in pairs for person in pair]
        contacts = [contact for one in people for contact in one.messenger.contacts()]
        return all(contact.state == "active" for contact in contacts)

    if not world.run_until(all_met, MEETING_LIMIT_SECONDS):
        raise UserError(
            f"letters_per_minute: pairs have not met after {MEETING_LIMIT_SECONDS:g} s of virtual "
            "time. Give a higher payload_rate or a shorter mean_delay_seconds.",
            ExitCode.USAGE,
        )


def _plan_letters(
    world: World,
    pairs: list[tuple[ClientMachine, ClientMachine]],
    parameters: CoresParameters,
    end: float,
    rng: np.random.Generator,
) -> None:
    """A Poisson process of letters for each person who has a contact."""
    if parameters.letters_per_minute == 0:
        return
    mean_gap = 60.0 / parameters.letters_per_minute
    for one, other in pairs:
        for writer, reader in ((one, other), (other, one)):
            time = world.clock.now + rng.exponential(mean_gap)
            while time < end:
                world.clock.at(time, _letter(world, writer, reader))
                time += rng.exponential(mean_gap)


def _letter(world: World, writer: ClientMachine, reader: ClientMachine) -> Callable[[], None]:
    def write() -> None:
        writer.do(lambda messenger: messenger.send(reader.name, Text(LETTER), world.clock.now))

    return write
