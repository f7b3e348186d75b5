"""What a network fixes at its genesis. Spec: docs/spec/directory.md (Genesis).

Every program of a network computes its sizes, rates and clocks from these; a local network has
short epochs and faster rates, and is otherwise the same.
"""

from typing import Literal

import msgspec

SuiteName = Literal["xwing", "x25519"]
DELAY_CAP_IN_MEANS = 10  # a delay above ten means is redrawn by senders and dropped by mixes
KEY_EPOCHS_AHEAD = 3  # nodes publish this many future keys; a document serves this many epochs more


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network's constants. Times are in seconds, rates per second."""

    suite: SuiteName = "xwing"
    layers: int = 3
    payload_bytes: int = 3608
    epoch_seconds: int = 3600
    skew_seconds: int = 60
    delay_mean_seconds: float = 0.5
    payload_rate: float = 1.0
    loop_rate: float = 0.2
    drop_rate: float = 0.2
    mix_loop_rate: float = 0.2
    acknowledgement_active_seconds: float = 10.0
    acknowledgement_idle_seconds: float = 120.0
    alarm_window_loops: int = 20

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
    def key_grace_seconds(self) -> float:
        """How long a node accepts the previous epoch's key after the boundary."""
        return self.layers * self.delay_cap_seconds + 2 * self.skew_seconds


def local_parameters(suite: SuiteName = "xwing", layers: int = 3) -> Parameters:
    """The same network with short epochs and five times the rates, for one machine."""
    return Parameters(
        suite=suite,
        layers=layers,
        epoch_seconds=60,
        skew_seconds=2,
        delay_mean_seconds=0.2,
        payload_rate=5.0,
        loop_rate=1.0,
        drop_rate=1.0,
        mix_loop_rate=1.0,
        acknowledgement_active_seconds=2.0,
        acknowledgement_idle_seconds=20.0,
    )
