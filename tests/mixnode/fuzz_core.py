"""A mix core that gets blocks of all values in packets whose MAC holds, and accounts for each."""

from collections import Counter
from typing import Literal

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import NodeNumber
from hushmill.packet import NodeKey
from hushmill.packet.wrapping import DELIVER, FORWARD, REPLY
from mixnode import Arrived, DeliverPayload, LogTags, MixLimits, SendPacket, TagsSynced
from mixnode.limits import HELD_OVERHEAD_BYTES
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network
from tests.packet.crafted import Target, crafted, forward_block, microseconds

CAP = microseconds(PARAMETERS.delay_cap_seconds)
LIFE_INPUTS = 2_000  # how long one core lives
STEP_SECONDS = 0.003
BLOCK_BYTES = 64  # what is said, and some of what is not read
TAGS = 300  # so that the table fills
ROOM = 60  # packets, so that they overflow
PLACES = (*PROVIDERS, *(node for layer in LAYERS for node in layer), 0, 0xFFFF)


class CoreUnderFire:
    """`fire` gives one packet; what became of it, as a word. Every so often the core is run to its
    end, held to account, and replaced."""

    def __init__(self, role: Literal["mix", "provider"]) -> None:
        self.role = role
        self._network = Network(f"fuzz {role}")
        self._node = LAYERS[0][0] if role == "mix" else PROVIDERS[0]
        allowed = LAYERS[1] if role == "mix" else LAYERS[0]
        self._sources = PROVIDERS if role == "mix" else LAYERS[2]
        secret = self._network.secrets[self._node, EPOCH]
        self._target = Target(self._node, EPOCH, secret.public)
        self._keys = {EPOCH & 0xFF: NodeKey(self._node, EPOCH, secret)}
        self.blocks = [
            (bytes([command]) + forward_block(place, delay)[1:]).ljust(BLOCK_BYTES, b"\x00")
            for command in (FORWARD, FORWARD, FORWARD, FORWARD, DELIVER, REPLY, 0, 255)
            for place in (*PLACES, *allowed, *allowed, *allowed, *allowed)
            for delay in (0, 1, CAP // 2, CAP - 1, CAP - 1, CAP, CAP + 1, 2**32 - 1)
        ]
        self._begin()

    def _begin(self) -> None:
        cost = self._network.format.geometry.packet_bytes + HELD_OVERHEAD_BYTES
        budget = MixLimits.tags_bytes(TAGS) + ROOM * cost
        limits = MixLimits(budget_bytes=budget, tags_per_key=TAGS)
        self._limits = limits
        self._core = self._network.core(self._node, limits=limits)
        self._now = START
        self._fired = 0
        self._refused = 0  # before the core
        self._before: Arrived | None = None

    def fire(self, block: bytes) -> str:
        if self._fired == LIFE_INPUTS:
            self.settle()
        self._fired += 1
        self._now += STEP_SECONDS
        self._advance(self._now)
        try:
            arrived = self._arrival(block)
        except PeerError as error:
            self._refused += 1
            return error.reason.value
        drops = Counter(self._core.counters.drops)
        assert self._core.receive(arrived, self._now) == []
        assert self._core.bytes_used <= self._limits.budget_bytes
        new = self._core.counters.drops - drops
        return "+".join(sorted(reason.value for reason in new)) or "value"

    def _arrival(self, block: bytes) -> Arrived:
        """Each tenth packet is the one before again, and each tenth comes of nobody's link."""
        source = self._sources[self._fired % 2] if self._fired % 10 else NodeNumber(77)
        if self._before is not None and self._fired % 10 == 5:
            return Arrived(source, self._before.unwrapped)
        network = self._network
        packet = crafted(network.format.geometry, self._target, block, network.rng)
        self._before = Arrived(source, network.format.unwrap(packet, self._keys))
        return self._before

    def _advance(self, until: float) -> None:
        """Runs the core's ticks; each batch of tags is synced at once."""
        while (deadline := self._core.next_deadline()) is not None and deadline <= until:
            for effect in self._core.advance(deadline):
                match effect:
                    case LogTags(batch, _, tags):
                        assert len(set(tags)) == len(tags)
                        self._core.receive(TagsSynced(batch), deadline)
                    case SendPacket(to, packet):
                        assert len(packet.raw) == self._network.format.geometry.packet_bytes
                        assert to in PLACES
                    case DeliverPayload(payload):
                        assert len(payload) == PARAMETERS.payload_bytes

    def settle(self) -> None:
        """Ends this core's life and begins another's."""
        self._account()
        self._begin()

    def _account(self) -> None:
        """Each packet left or is counted once; an evicted one was counted when it was."""
        self._advance(self._now + PARAMETERS.delay_cap_seconds + 1.0)
        counters = self._core.counters
        left = counters.relayed + counters.delivered
        assert self._refused + left + counters.drops.total() == self._fired
        allowed = {
            Drop.NO_ROUTE,
            Drop.DELAY,
            Drop.REPLAY,
            Drop.REPLAY_FULL,
            Drop.OVERFLOW,
            Drop.NOT_OWN_LOOP,
        }
        assert {reason for reason, count in counters.drops.items() if count} <= allowed
