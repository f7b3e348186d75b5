"""A person's client in the simulated network: messenger and pacer, their link, and their disk.

The messenger and the pacer are the shipped cores, each on a runner of its own, joined by calls that
take no time, as two processes on one machine are joined by a pipe.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import apsw

from client import (
    ClientStore,
    FillSlot,
    LinkDown,
    LinkUp,
    MailArrived,
    MessageArrived,
    MessageView,
    Messenger,
    MessengerEffect,
    MessengerEvent,
    PacerCore,
    PacerEffect,
    PacerEvent,
    PacerStarted,
    PersonActed,
    SendFrame,
    SlotTaken,
    Stream,
    found_person,
)
from experiments.lab.trace import Genre
from experiments.simnet.clockwork import CoreRunner, is_crash
from experiments.simnet.node_machine import NodeMachine
from experiments.simnet.seeded import SeededRandomness
from hushmill.crypto import Ed25519SigningKey, Label
from hushmill.identifiers import AccountKey
from hushmill.link import (
    EXPORTER_BYTES,
    LINK_VERSION,
    ClientFrames,
    Hello,
    Mail,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
    exporter_challenge,
    solve_proof_of_work,
)
from hushmill.randomness import exponential
from mixnode import wire_of

if TYPE_CHECKING:
    from experiments.simnet.world import World

Answer = TypeVar("Answer")

RECONNECT_MEAN_SECONDS = 1.0
# What each stream's frames are for; a payload slot holds drop cover until somebody writes.
GENRES = {
    Stream.PAYLOAD: Genre.DROP_COVER,
    Stream.LOOP: Genre.LOOP,
    Stream.DROP: Genre.DROP_COVER,
}


class ClientMachine:
    """One person, `client1` being the first. `sent_frames` is what an observer of the client's
    link sees: (time, size)."""

    def __init__(self, world: "World", number: int, provider: NodeMachine) -> None:
        self._world = world
        self.number = number
        self.name = f"client{number}"
        self.provider = provider
        geometry = world.packet_format.geometry
        self._frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        self._link_rng = SeededRandomness(world.plan.seed, f"{self.name} link")
        self._pacer_rng = SeededRandomness(world.plan.seed, f"{self.name} pacer")
        self._crash_rng = SeededRandomness(world.plan.seed, f"{self.name} crashes")
        self._starts = 0
        # The disk:
        self._connection = apsw.Connection(":memory:")
        founding = SeededRandomness(world.plan.seed, f"{self.name} founding")
        store = ClientStore(self._connection)
        person = found_person(
            store,
            self.name,
            world.genesis.network_id,
            provider.number,
            founding,
            world.clock.now,
        )
        self._account = Ed25519SigningKey.from_raw(person.account_seed)
        self._proof = solve_proof_of_work(
            AccountKey(self._account.public.raw), world.genesis.network_id, provider.number
        )
        self._connection.set_commit_hook(self._commit)
        # What a crash takes:
        self._session = 0
        self._last_wire = ""  # of the frame that left last
        self._carried = 0  # packets of this start that were for a contact
        self._messenger_runner: CoreRunner[MessengerEvent, MessengerEffect] | None = None
        self._pacer_runner: CoreRunner[PacerEvent, PacerEffect] | None = None
        self._messenger: Messenger | None = None
        # What the experiment looks at:
        self.shown: list[MessageView] = []
        self.sent_frames: list[tuple[float, int]] = []
        self.crashes = 0

    @property
    def is_up(self) -> bool:
        return self._messenger is not None

    @property
    def messenger(self) -> Messenger:
        """For looking, while the client is up; what changes something goes through `do`."""
        if self._messenger is None:
            raise AssertionError(f"{self.name} is down")
        return self._messenger

    def do(self, verb: Callable[[Messenger], Answer]) -> Answer | None:
        """Calls a verb of the messenger as the daemon does for a command. None when the client is
        down, or dies before it has answered: the person was not told that it is done."""
        if self._messenger is None or self._messenger_runner is None:
            return None
        try:
            answer = verb(self._messenger)
        except Exception as error:
            if not is_crash(error):
                raise
            self.crash()
            return None
        self._messenger_runner.receive(PersonActed())
        return answer

    def start(self) -> None:
        world = self._world
        self._starts += 1
        self._carried = 0
        rng = SeededRandomness(world.plan.seed, f"{self.name} start {self._starts}")
        self._messenger = Messenger(
            ClientStore(self._connection),
            world.genesis,
            world.packet_format,
            rng,
            world.clock.now,
            cover=world.plan.cover,
        )
        pacer = PacerCore(world.genesis.parameters, self._pacer_rng)
        self._pacer_runner = world.run(pacer, self._perform_pacer, self.crash)
        self._messenger_runner = world.run(self._messenger, self._perform, self.crash)
        self._messenger_runner.receive(PacerStarted())
        self._connect()

    def crash(self) -> None:
        """kill -9 of daemon and pacer; they begin again a little later."""
        if self._messenger_runner is None or self._pacer_runner is None:
            return
        self.crashes += 1
        self._messenger_runner.stop()
        self._pacer_runner.stop()
        self._messenger = self._messenger_runner = self._pacer_runner = None
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        session, self._session = self._session, 0
        self.provider.client_leaves(session)
        self._world.restart_later(self.start)

    def _commit(self) -> bool:
        """Every commit of the store may be the moment of a crash: it then did not happen."""
        self._world.maybe_crash(self._crash_rng, at_commit=True)
        return False

    # -- the link to the provider

    def _connect(self) -> None:
        if not self.is_up or self._session:
            return
        if not self.provider.is_up:
            self._reconnect_later()
            return
        exporter = self._link_rng.take(EXPORTER_BYTES)
        hello = Hello(
            LINK_VERSION,
            AccountKey(self._account.public.raw),
            self._account.sign(Label.LINK_ACCOUNT, exporter_challenge(exporter)),
            self._proof,
            bytes(32),
        )
        starts = self._starts
        self._session = self.provider.client_connects(
            hello, exporter, lambda command: self._hear_later(starts, command)
        )

    def _reconnect_later(self) -> None:
        wait = exponential(self._link_rng, RECONNECT_MEAN_SECONDS)
        self._world.clock.after(wait, self._connect)

    def _hear_later(self, starts: int, command: Welcome | Mail | None) -> None:
        """The provider's command on its way here; None is the end of the connection."""
        if command is None:
            self._world.clock.after(0, lambda: self._hear(starts, None))
            return
        frame = self._frames.encode_downstream(command, self._link_rng)
        self._world.network.carry_surely(
            self.provider.name,
            self.name,
            len(frame),
            lambda: self._hear(starts, self._frames.decode_downstream(frame)),
        )

    def _hear(self, starts: int, command: Welcome | Mail | None) -> None:
        if starts != self._starts or self._messenger_runner is None:
            return
        match command:
            case None:
                self._session = 0
                self._tell_both(LinkDown())
                self._reconnect_later()
            case Welcome(_, WelcomeStatus.ACCEPTED):
                self._tell_both(LinkUp())
            case Welcome():
                raise AssertionError(f"the provider refused {self.name}")
            case Mail():
                self._messenger_runner.receive(MailArrived(command))

    def _tell_both(self, event: LinkUp | LinkDown) -> None:
        for runner in (self._messenger_runner, self._pacer_runner):
            if runner is not None:
                runner.receive(event)

    # -- effects

    def _perform(self, effect: MessengerEffect) -> None:
        self._world.maybe_crash(self._crash_rng, at_commit=False)
        match effect:
            case FillSlot():
                if self._pacer_runner is not None:
                    self._pacer_runner.receive(effect)
            case MessageArrived(message):
                self.shown.append(message)
            case _:
                pass

    def _perform_pacer(self, effect: PacerEffect) -> None:
        match effect:
            case SendFrame(frame):
                self._send(frame)
            case SlotTaken():
                if self._messenger_runner is not None:
                    self._messenger_runner.receive(effect)
                    self._note_genre(effect.stream)

    def _note_genre(self, stream: Stream) -> None:
        """What the frame that has just left was for: a truth that no observer gets. A payload slot
        carried something if the messenger has counted one more packet that did."""
        genre = GENRES[stream]
        if stream is Stream.PAYLOAD and self._messenger is not None:
            counts = dict(self._messenger.status(self._world.clock.now).packets)
            carried = counts.get("payload", 0) + counts.get("acknowledgement", 0)
            if carried > self._carried:
                genre, self._carried = Genre.PAYLOAD, carried
        self._world.genres[self._last_wire] = genre

    def _send(self, frame: bytes) -> None:
        session = self._session
        self.sent_frames.append((self._world.clock.now, len(frame)))
        command = self._frames.decode_upstream(frame)
        if not isinstance(command, RelayAndFetch):
            raise AssertionError("a slot holds a packet to relay")
        self._last_wire = wire_of(command.packet)
        self._world.network.carry_surely(
            self.name,
            self.provider.name,
            len(frame),
            lambda: self.provider.client_frame(session, command, self.number),
        )
