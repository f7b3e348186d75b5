"""The daemon: one person's messenger as a process.

What it wires together: the vault (`store_vault`), the messenger's core on Twisted's clock
(`Driver`), the pacer in a process of its own (`service_pacer`), and the socket on which the
person's commands are answered (`rpc_server`, `service_methods`). The order of the start is the
order of what can be refused: the profile's lock, the passphrase, the network file, the socket.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from client import open_vault
from client.core_events import (
    ConsensusAccepted,
    ContactChanged,
    FillSlot,
    MessageArrived,
    MessageChanged,
    MessengerEffect,
    MessengerEvent,
    PersonActed,
)
from client.messenger import Messenger
from client.pacer_wire import PacerSetup
from client.profile import Profile
from client.rpc_server import RpcServer
from client.service_methods import PersonMethods
from client.service_pacer import PacerSupervisor
from client.store import ClientStore
from hushmill.errors import ExitCode, UserError
from hushmill.link import ClientFrames
from hushmill.packet import packet_format
from hushmill.runtime import Driver, Reactor, SystemRandomness, notify_ready, now, run_service
from pki import Genesis, GenesisNode, read_genesis

SOCKET_MODE = 0o600  # Twisted's own is open to everybody
_log = logging.getLogger(__name__)
_bugs = Logger()


@contextmanager
def hold_profile(profile: Profile) -> Iterator[None]:
    """Holds the profile's lock while the block runs. Raises UserError (8) if another daemon does.

    The kernel gives the lock up with the process, however that ends.
    """
    descriptor = os.open(profile.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"A daemon of the profile in {profile.folder} is running already; one is enough. "
                "To start it anew, end that one first.",
                ExitCode.LOCKED,
            ) from error
        yield
    finally:
        os.close(descriptor)


def run_daemon(profile: Profile, passphrase: str, *, cover: bool) -> None:
    """Runs until SIGTERM; the caller holds the profile's lock. `cover` off is for comparison on a
    local network alone. Raises UserError as `open_vault`
    and `read_genesis` do, KeyboardInterrupt after SIGINT."""
    connection = open_vault(profile.vault, passphrase)
    try:
        store = ClientStore(connection)
        genesis = read_genesis(profile.network.read_bytes())
        provider = _own_provider(store, genesis)
        run_service(
            lambda reactor: Daemon(reactor, profile, store, genesis, provider, cover=cover).start()
        )
    finally:
        connection.close()
        profile.socket.unlink(missing_ok=True)


def _own_provider(store: ClientStore, genesis: Genesis) -> GenesisNode:
    """The profile's provider as the genesis names it. Raises UserError (6) where the network file
    is not the one that the profile was made with."""
    person = store.person.read()
    provider = genesis.node(person.provider)
    if person.network != genesis.network_id or provider is None or provider.role != "provider":
        raise UserError(
            "network.toml is not the file of the network that this profile was made in. Put the "
            "original back.",
            ExitCode.SECURITY_STOP,
        )
    return provider


class Daemon:
    """One run of the daemon on a running reactor."""

    def __init__(
        self,
        reactor: Reactor,
        profile: Profile,
        store: ClientStore,
        genesis: Genesis,
        provider: GenesisNode,
        *,
        cover: bool,
    ) -> None:
        self._reactor = reactor
        self._profile = profile
        packets = packet_format(genesis.parameters)
        frames = ClientFrames(packets.geometry.packet_bytes, packets.geometry.body_bytes)
        self._messenger = Messenger(store, genesis, packets, SystemRandomness(), now(), cover=cover)
        self._driver: Driver[MessengerEvent, MessengerEffect] = Driver(
            self._messenger, self._perform, reactor
        )
        setup = PacerSetup(
            parameters=genesis.parameters,
            host=provider.host,
            port=provider.client_port,
            key_hash=provider.key_hash,
            network_id=genesis.network_id,
            provider=provider.number,
            account_key=store.person.read().account_seed,
            code=bytes(32),
        )
        self._pacer = PacerSupervisor(
            reactor, setup, frames, self._driver.receive, self._messenger.count_drop
        )
        self._methods = PersonMethods(
            reactor, self._messenger, self._acted, genesis, provider, self._pacer
        )
        self._server = RpcServer(self._methods.table(), self._stop_on_bug)

    def start(self) -> None:
        """Answers commands, then says so."""
        self._driver.start()
        self._pacer.start()
        # Bound, and unlinked by Twisted at the end, under a name that is never too long for a Unix
        # address. The profile's lock is ours, so a socket that lies there is a dead daemon's.
        os.chdir(self._profile.runtime)
        self._profile.socket.unlink(missing_ok=True)
        self._reactor.listenUNIX(self._profile.socket.name, self._server, mode=SOCKET_MODE)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        notify_ready()

    def _stop(self) -> Deferred[None]:
        """No command is answered any more, then the pacer ends; its process is waited for."""
        self._methods.stop()
        for connection in list(self._server.connections):
            connection.transport.loseConnection()
        self._driver.stop()
        return self._pacer.stop()

    def _acted(self) -> None:
        self._driver.receive(PersonActed())

    def _perform(self, effect: MessengerEffect) -> None:
        match effect:
            case FillSlot():
                self._pacer.fill(effect)
            case MessageArrived() | MessageChanged() | ContactChanged():
                self._methods.changed()
            case ConsensusAccepted(epoch):
                _log.info("a document was accepted", extra={"epoch": epoch})

    def _stop_on_bug(self, reason: Failure) -> None:
        """Logs the failure, which ends the process with exit 1 (`run_service`)."""
        _bugs.failure("a command met a bug", failure=reason)
