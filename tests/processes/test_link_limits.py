"""Deadlines and budgets of links, over real sockets: what is slow, too much or twice is ended."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from OpenSSL import SSL

from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UsageError, UserError
from hushmill.link import LinkClass
from hushmill.runtime import FrameLink, LinkIdentity, LinkLimits, ListenerLimits
from tests.processes.link_loop import (
    FRAME_BYTES,
    Loop,
    Owner,
    frame,
    open_connector,
    open_listener,
    running_loop,
)
from tests.processes.strangers import Stranger, read_all

PATIENT = LinkLimits(idle_seconds=None)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def server() -> LinkIdentity:
    return LinkIdentity.generate()


def silent_sockets(port: int, count: int, start: bytes) -> list[socket.socket]:
    """Sockets from many addresses that say `start` and then nothing."""
    result = []
    for index in range(count):
        one = socket.socket()
        one.bind((f"127.0.1.{index % 200 + 1}", 0))
        one.settimeout(5)
        one.connect(("127.0.0.1", port))
        if start:
            one.sendall(start)
        result.append(one)
    return result


def close_all(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def is_closed(one: socket.socket) -> bool:
    """Whether the other end has hung up."""
    one.setblocking(False)
    try:
        while one.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_bounds_a_flood_of_half_open_sockets_while_honest_links_work(
    loop: Loop, server: LinkIdentity, start: bytes
) -> None:
    there, here, late = Owner(), Owner(), Owner()
    limits = ListenerLimits(proven=10, unproven=40, per_address=20)
    listener = open_listener(loop, server, there, listener_limits=limits)
    open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: there.links)
    before = len(os.listdir("/proc/self/fd"))
    flood: list[socket.socket] = []
    try:
        for _ in range(15):
            flood += silent_sockets(listener.port_number, 20, start)
            loop.run_for(0.03)
            assert listener.connections <= 1 + 40 + 8  # the last to give way close in a later turn
        assert (
            len(os.listdir("/proc/self/fd")) - before <= 300 + 40 + 8 + 5
        )  # the attacker's are ours
        loop.until(lambda: there.drops[Drop.BUSY] >= 300 - 40)
        here.link.send([frame(1)])
        loop.until(lambda: there.frames == [frame(1)])
        open_connector(loop, listener.port_number, server.key_hash, late)  # a newcomer gets in
        loop.until(lambda: there.ups == 2)
        assert there.downs == 0
    finally:
        close_all(flood)


def test_hangs_up_on_a_handshake_that_takes_too_long(loop: Loop, server: LinkIdentity) -> None:
    there = Owner()
    listener = open_listener(loop, server, there, link_limits=replace(PATIENT, handshake_seconds=1))
    sockets = silent_sockets(listener.port_number, 3, b"\x16")
    try:
        loop.until(lambda: listener.connections == 3)
        for _ in range(4):  # a byte now and then does not buy time
            loop.run_for(0.2)
            for one in sockets:
                one.sendall(b"\x03")
        loop.until(lambda: listener.connections == 0, 2.0)
        assert there.drops[Drop.HANDSHAKE] == 3
    finally:
        close_all(sockets)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 64, b"\x16\x03\x01\xff\xff"]
)
def test_hangs_up_on_what_is_not_tls(loop: Loop, server: LinkIdentity, start: bytes) -> None:
    there = Owner()
    listener = open_listener(loop, server, there, link_limits=replace(PATIENT, handshake_seconds=1))
    sockets = silent_sockets(listener.port_number, 1, start)
    try:
        loop.until(lambda: is_closed(sockets[0]), 3.0)
        loop.until(lambda: listener.connections == 0)
        assert there.ups == 0
    finally:
        close_all(sockets)


def trickle(port: int, first: bytes, pause_seconds: float) -> float:
    """Seconds until a proven peer is hung up on that sends `first` and then a byte at a time."""
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), plain)
        connection.set_connect_state()
        connection.do_handshake()
        begin = time.monotonic()
        try:
            connection.sendall(first)
            while time.monotonic() < begin + 10:
                connection.sendall(b"\x00")
                time.sleep(pause_seconds)
        except (SSL.Error, OSError):
            pass
        return time.monotonic() - begin


def test_ends_a_frame_that_does_not_end(loop: Loop, server: LinkIdentity) -> None:
    there = Owner()
    limits = replace(PATIENT, frame_seconds=0.5)
    listener = open_listener(loop, server, there, link_limits=limits)
    stranger = Stranger(lambda: trickle(listener.port_number, frame(1) + b"\x00", 0.05))
    loop.until(lambda: stranger.finished)
    assert there.frames == [frame(1)]
    assert there.drops == {Drop.DEADLINE: 1}
    assert isinstance(stranger.result, float)
    assert 0.4 < stranger.result < 3


@pytest.mark.parametrize(("records", "is_borne"), [(16, True), (17, False)])
def test_bears_so_many_records_for_a_frame_and_not_one_more(
    loop: Loop, server: LinkIdentity, records: int, is_borne: bool
) -> None:
    """Each costs the time of opening it: thousands to a frame would stop everybody else."""
    there = Owner()
    listener = open_listener(loop, server, there, link_limits=PATIENT)

    def send() -> None:
        with socket.create_connection(("127.0.0.1", listener.port_number), 5) as plain:
            plain.settimeout(None)
            connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), plain)
            connection.set_connect_state()
            connection.do_handshake()
            for _ in range(records):
                connection.sendall(b"\x00")
            with suppress(SSL.Error, OSError):
                connection.recv(1)

    stranger = Stranger(send)
    if is_borne:
        loop.until(lambda: there.links)
        loop.run_for(0.3)
        assert not there.drops
        there.link.abort()
    loop.until(lambda: stranger.finished)
    assert there.drops == ({} if is_borne else {Drop.FRAME: 1})


def test_ends_an_idle_link_though_bytes_trickle(loop: Loop, server: LinkIdentity) -> None:
    there = Owner()
    listener = open_listener(loop, server, there, link_limits=replace(PATIENT, idle_seconds=0.5))
    stranger = Stranger(lambda: trickle(listener.port_number, b"", 0.05))
    loop.until(lambda: stranger.finished)
    assert not there.frames
    assert there.drops == {Drop.DEADLINE: 1}


def test_lets_an_owner_allow_a_peer_to_be_idle(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner(), Owner()
    listener = open_listener(loop, server, there, link_limits=replace(PATIENT, idle_seconds=0.3))
    open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: there.links)
    there.link.allow_idle(None)
    loop.run_for(0.6)
    assert there.downs == 0
    there.link.allow_idle(0.2)
    loop.until(lambda: there.drops[Drop.DEADLINE] == 1, 2.0)


def test_refuses_connections_above_the_budget_of_an_address(
    loop: Loop, server: LinkIdentity
) -> None:
    there, other = Owner(), Owner()
    limits = ListenerLimits(per_address=3)
    listener = open_listener(loop, server, there, listener_limits=limits)
    sockets = []
    try:
        for _ in range(4):
            one = socket.socket()
            one.bind(("127.0.2.1", 0))
            one.connect(("127.0.0.1", listener.port_number))
            sockets.append(one)
        loop.until(lambda: is_closed(sockets[3]))
        assert listener.connections == 3
        assert not is_closed(sockets[2])
        open_connector(loop, listener.port_number, server.key_hash, other)  # from another address
        loop.until(lambda: there.ups == 1)
        sockets[0].close()
        loop.until(lambda: listener.connections == 3)
        sockets[0] = socket.create_connection(
            ("127.0.0.1", listener.port_number), source_address=("127.0.2.1", 0)
        )
        loop.until(lambda: listener.connections == 4)  # what is given back can be used again
    finally:
        close_all(sockets)


def test_refusals_do_not_use_up_the_turns_of_others(loop: Loop, server: LinkIdentity) -> None:
    there = Owner()
    listener = open_listener(loop, server, there, listener_limits=ListenerLimits(per_address=1))
    sockets = []
    try:
        for source in ["127.0.2.1"] * 50 + ["127.0.2.2"]:  # all in the kernel's queue
            one = socket.socket()
            one.bind((source, 0))
            one.connect(("127.0.0.1", listener.port_number))
            sockets.append(one)
        loop.run_for(0)  # one turn
        assert there.drops == {Drop.BUSY: 49}
        assert listener.connections == 2
    finally:
        close_all(sockets)


def test_refuses_proven_connections_above_their_budget(loop: Loop, server: LinkIdentity) -> None:
    owners, there = [Owner() for _ in range(3)], Owner()
    limits = ListenerLimits(proven=2)
    listener = open_listener(loop, server, there, listener_limits=limits)
    for owner in owners[:2]:
        open_connector(loop, listener.port_number, server.key_hash, owner)
    loop.until(lambda: there.ups == 2)
    open_connector(loop, listener.port_number, server.key_hash, owners[2])
    loop.until(lambda: there.drops[Drop.BUSY] >= 1)
    assert there.ups == 2
    assert owners[2].ups == 0


def test_drops_what_a_peer_does_not_take_and_then_the_peer(
    loop: Loop, server: LinkIdentity
) -> None:
    there = Owner()
    limits = replace(PATIENT, unsent_bytes=10 * FRAME_BYTES, stall_seconds=1.0)
    listener = open_listener(loop, server, there, link_limits=limits)

    released = threading.Event()

    def hold() -> bytes:
        with socket.create_connection(("127.0.0.1", listener.port_number), 5) as plain:
            plain.settimeout(None)
            connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), plain)
            connection.set_connect_state()
            connection.do_handshake()
            released.wait(20)
            return read_all(plain)

    stranger = Stranger(hold)
    loop.until(lambda: there.links)
    link = there.link
    waiting = []

    def push() -> bool:
        """Goes on sending until the link is ended; the kernel's buffers grow for a while."""
        if link.is_up:
            link.send([frame(0)] * 20)
            waiting.append(len(link._unsent))
        return not link.is_up

    loop.until(push, 15.0)
    assert max(waiting) == 10  # the limit is reached and not passed
    assert there.drops[Drop.OVERFLOW] > 100
    assert there.drops[Drop.DEADLINE] == 1
    assert there.downs == 1
    assert there.drops[Drop.LINK_DOWN] == 10
    link.send([frame(0)])
    assert there.drops[Drop.LINK_DOWN] == 11
    released.set()
    loop.until(lambda: stranger.finished)


def test_has_one_connection_a_pair(loop: Loop, server: LinkIdentity) -> None:
    node = LinkIdentity.generate()
    first, second, there = Owner(), Owner(), Owner()
    listener = open_listener(loop, server, there, LinkClass.NODE)
    port = listener.port_number
    old = open_connector(loop, port, server.key_hash, first, LinkClass.NODE, node)
    loop.until(lambda: there.ups == 1)
    open_connector(loop, port, server.key_hash, second, LinkClass.NODE, node)
    old_link = there.link
    loop.until(lambda: there.ups >= 2)
    old.stop()
    assert not old_link.is_up
    loop.until(lambda: listener.connections == 1)
    assert len(there.links) == 1


def test_lets_a_machine_ask_an_authority_twice_at_once(loop: Loop, server: LinkIdentity) -> None:
    node = LinkIdentity.generate()
    there = Owner()
    listener = open_listener(loop, server, there, LinkClass.DIRECTORY)
    for _ in range(2):
        open_connector(
            loop, listener.port_number, server.key_hash, Owner(), LinkClass.DIRECTORY, node
        )
    loop.until(lambda: there.ups == 2)
    loop.run_for(0.3)
    assert (there.ups, there.downs) == (2, 0)


def test_connects_again_after_a_break_by_one_connection_at_a_time(
    loop: Loop, server: LinkIdentity
) -> None:
    here, there, back = Owner(), Owner(), Owner([frame(5)])
    listener = open_listener(loop, server, there)
    port = listener.port_number
    connector = open_connector(loop, port, server.key_hash, here)
    loop.until(lambda: there.links)
    listener.stop()
    loop.until(lambda: here.downs == 1 and listener.connections == 0)
    connector.send([frame(1), frame(2)])
    assert here.drops[Drop.LINK_DOWN] == 2  # nothing waits for a link that is down
    loop.run_for(0.5)
    again = open_listener(loop, server, back, port=port)
    loop.until(lambda: here.frames == [frame(5)], 15.0)
    loop.run_for(0.5)
    assert again.connections == 1
    assert (back.ups, back.downs) == (1, 0)


def test_stops_for_good(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner(), Owner()
    listener = open_listener(loop, server, there)
    connector = open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: there.links)
    connector.send([frame(1)])
    connector.stop()
    loop.until(lambda: listener.connections == 0)
    assert there.frames == [frame(1)]  # closing in order loses nothing
    loop.run_for(0.3)
    assert (there.ups, here.ups, here.downs) == (1, 1, 1)


def test_ends_a_link_whose_frames_are_wrong(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner([frame(1)]), Owner()

    def refuse(_link: FrameLink, _frames: list[bytes]) -> None:
        raise PeerError(Drop.FRAME)

    there.on_frames = refuse
    listener = open_listener(loop, server, there)
    open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: here.downs >= 1)
    assert there.drops[Drop.FRAME] >= 1


def test_cuts_off_a_node_that_answers(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner(), Owner([frame(1)])
    listener = open_listener(loop, server, there, LinkClass.NODE)
    node = LinkIdentity.generate()
    open_connector(loop, listener.port_number, server.key_hash, here, LinkClass.NODE, node)
    loop.until(lambda: here.drops[Drop.FRAME] >= 1)
    assert not here.frames


def test_ends_links_that_a_new_consensus_does_not_want(loop: Loop, server: LinkIdentity) -> None:
    stays, goes = LinkIdentity.generate(), LinkIdentity.generate()
    there, staying, going = Owner(), Owner(), Owner()
    welcome = {stays.key_hash, goes.key_hash}
    listener = open_listener(loop, server, there, LinkClass.NODE, lambda peer: peer in welcome)
    port = listener.port_number
    open_connector(loop, port, server.key_hash, staying, LinkClass.NODE, stays)
    open_connector(loop, port, server.key_hash, going, LinkClass.NODE, goes)
    loop.until(lambda: there.ups == 2)
    welcome.remove(goes.key_hash)
    listener.close_unwelcome(lambda peer: peer in welcome)
    loop.until(lambda: there.drops[Drop.HANDSHAKE] >= 1)  # it comes back and is refused
    assert there.link.peer_hash == stays.key_hash
    assert len(there.links) == 1


def test_aborts_a_close_that_the_peer_does_not_answer(loop: Loop, server: LinkIdentity) -> None:
    there = Owner()
    limits = replace(PATIENT, close_seconds=0.3)
    listener = open_listener(loop, server, there, link_limits=limits)
    peer = socket.create_connection(("127.0.0.1", listener.port_number))
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), peer)
    connection.set_connect_state()
    handshake = Stranger(connection.do_handshake)
    try:
        loop.until(lambda: there.links and handshake.finished)
        there.link.close()
        loop.run_for(0.1)
        assert listener.connections == 1
        loop.until(lambda: listener.connections == 0, 2.0)
    finally:
        peer.close()


def test_says_that_a_port_is_taken(loop: Loop, server: LinkIdentity) -> None:
    listener = open_listener(loop, server, Owner())
    with pytest.raises(UserError, match=f"port {listener.port_number}") as caught:
        open_listener(loop, server, Owner(), port=listener.port_number)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_holds_its_owner_to_the_frame_size(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner(), Owner()
    listener = open_listener(loop, server, there)
    open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: here.links)
    for size in (FRAME_BYTES - 1, FRAME_BYTES + 1):
        with pytest.raises(UsageError):
            here.link.send([bytes(size)])
