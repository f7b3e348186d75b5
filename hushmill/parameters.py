"""What a network fixes at its genesis. Spec: docs/spec/directory.md (Genesis).

Every program of a network computes its sizes, rates and clocks from these; a local network has
short epochs and faster rates, and is otherwise the same.
"""

import math
from typing import Literal

import msgspec

SuiteName = Literal["xwing", "x25519"]
MixingName = Literal["poisson", "timed_pool"]
DELAY_CAP_IN_MEANS = 10  # a delay above ten means is redrawn by senders and dropped by mixes
POOL_LATE = 1e-3  # how many packets stay in a pool beyond its limit, were nobody on, at most
KEY_EPOCHS_AHEAD = 3  # nodes publish this many future keys; a document serves this many epochs more


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network's constants. Times are in seconds, rates per second."""

    suite: SuiteName = "xwing"
    layers: int = 3
    payload_bytes: int = 3608
    epoch_seconds: int = 3600
    skew_seconds: int = 60
    delay_mean_seconds: float = 0.5
    mixing: MixingName = "poisson"
    pool_interval_seconds: float = 2.0
    pool_packets: int = 10
    payload_rate: float = 1.0
    loop_rate: float = 0.2
    drop_rate: float = 0.2
    mix_loop_rate: float = 0.2
    acknowledgement_active_seconds: float = 10.0
    acknowledgement_idle_seconds: float = 120.0
    alarm_window_loops: int = 20
    loss_per_link: float = 0.01

    @property
    def hops(self) -> int:
        """Packet hops: every layer and the destination provider."""
        return self.layers + 1

    @property
    def client_rate(self) -> float:
        """Upstream frames a second of one client, all three Poisson processes together."""
        return self.payload_rate + self.loop_rate + self.drop_rate

    @property
    def delay_cap_seconds(self) -> float:
        return DELAY_CAP_IN_MEANS * self.delay_mean_seconds

    @property
    def pool_arrivals(self) -> float:
        """Packets that come to a pool in one interval while nobody is on: a mix's own loops, and
        those of every other layer, for layers of one width."""
        return self.layers * self.mix_loop_rate * self.pool_interval_seconds

    @property
    def pool_rounds(self) -> float:
        """In how many rounds a packet leaves its pool, but for a share of `POOL_LATE` while nobody
        is on. A whole number; infinite where mixes send no loops."""
        staying = math.log1p(self.pool_arrivals / self.pool_packets)
        return math.ceil(-math.log(POOL_LATE) / staying) if staying > 0 else math.inf

    @property
    def hold_mean_seconds(self) -> float:
        """How long a mix holds a packet in the mean; of a timed pool, while nobody is on: the more
        come the sooner it leaves."""
        if self.mixing == "poisson":
            return self.delay_mean_seconds
        if self.pool_arrivals == 0:
            return math.inf
        return self.pool_interval_seconds * (0.5 + self.pool_packets / self.pool_arrivals)

    @property
    def hold_limit_seconds(self) -> float:
        """How long clocks and keys allow a mix to hold a packet."""
        if self.mixing == "poisson":
            return self.delay_cap_seconds
        return self.pool_rounds * self.pool_interval_seconds

    @property
    def key_grace_seconds(self) -> float:
        """How long a node accepts the previous epoch's key after the boundary."""
        return self.layers * self.hold_limit_seconds + 2 * self.skew_seconds

    @property
    def loop_return_probability(self) -> float:
        """Of a mix's own loop while nobody drops: it crosses as many links as it has hops."""
        return float((1 - self.loss_per_link) ** self.hops)


def local_parameters(
    suite: SuiteName = "xwing", layers: int = 3, mixing: MixingName = "poisson"
) -> Parameters:
    """The same network with short epochs and five times the rates, for one machine.

    A pool is small there: the old key's grace is short, and must cover it.
    """
    return Parameters(
        suite=suite,
        layers=layers,
        epoch_seconds=60,
        skew_seconds=2,
        delay_mean_seconds=0.2,
        mixing=mixing,
        pool_interval_seconds=0.4,
        pool_packets=3,
        payload_rate=5.0,
        loop_rate=1.0,
        drop_rate=1.0,
        mix_loop_rate=1.0,
        acknowledgement_active_seconds=2.0,
        acknowledgement_idle_seconds=20.0,
    )
