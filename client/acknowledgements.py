"""When an acknowledgement leaves, and when a fragment is tried again.

Each contact's acknowledgements tick by a Poisson process, whether or not anything came, so that
their moment says little about a receipt. All contacts' processes together are one (superposition):
it ticks at the sum of the rates, and draws whose tick it was. Spec: docs/spec/traffic.md.
"""

from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, exponential, unit

ACTIVE_SECONDS = 600.0  # a conversation is active this long after its last message
SHARE_OF_SLOTS = 0.25  # of the payload slots, for the acknowledgements of all contacts together
FIRST_RETRY_SECONDS = 30.0  # at least
LARGEST_WAIT_SECONDS = 32 * 3600.0
TRIES = 20
UNCONFIRMED_SECONDS = 14 * 24 * 3600.0  # after the first try
ROUND_TRIPS_BEFORE_RETRY = 3


class AcknowledgementClock:
    """Ticks for the contacts given by `watch`, who are known by their number in the store."""

    def __init__(self, parameters: Parameters, rng: Randomness) -> None:
        self._parameters = parameters
        self._rng = rng
        self._active_at: dict[int, float] = {}
        self._rate = 0.0
        self.next_tick: float | None = None

    def watch(self, contact: int, active_at: float, now: float) -> None:
        """The contact's last message either way was at `active_at`."""
        self._active_at[contact] = max(active_at, self._active_at.get(contact, 0.0))
        self._redraw(now)

    def forget(self, contact: int, now: float) -> None:
        if self._active_at.pop(contact, None) is not None:
            self._redraw(now)

    def due(self, now: float) -> list[int]:
        """Whose ticks have come, one number a tick. After a standstill there is one tick, not all
        that were missed."""
        if self.next_tick is None or self.next_tick > now:
            return []
        owner = self._owner(now)
        self._rate = 0.0
        self._redraw(now)
        return [owner]

    def _rates(self, now: float) -> dict[int, float]:
        """Ticks a second of each contact, within the share of slots."""
        parameters = self._parameters
        rates = {
            contact: 1.0
            / (
                parameters.acknowledgement_active_seconds
                if now - active_at < ACTIVE_SECONDS
                else parameters.acknowledgement_idle_seconds
            )
            for contact, active_at in self._active_at.items()
        }
        most = SHARE_OF_SLOTS * parameters.payload_rate
        whole = sum(rates.values())
        scale = min(1.0, most / whole) if whole > 0 else 1.0
        return {contact: rate * scale for contact, rate in rates.items()}

    def _redraw(self, now: float) -> None:
        """Draws the next tick anew where the rate has changed: the process has no memory."""
        rate = sum(self._rates(now).values())
        if rate != self._rate:
            self._rate = rate
            self.next_tick = now + exponential(self._rng, 1 / rate) if rate > 0 else None

    def _owner(self, now: float) -> int:
        rates = self._rates(now)
        point = unit(self._rng) * sum(rates.values())
        for contact, rate in rates.items():
            point -= rate
            if point < 0:
                return contact
        return next(reversed(rates))


def first_retry_seconds(parameters: Parameters) -> float:
    """Three expected round trips: there, the recipient's acknowledgement tick, and back."""
    slot = 1 / parameters.payload_rate + 1 / parameters.client_rate
    way = slot + parameters.layers * parameters.delay_mean_seconds
    round_trip = 2 * way + parameters.acknowledgement_active_seconds
    return max(FIRST_RETRY_SECONDS, ROUND_TRIPS_BEFORE_RETRY * round_trip)


def retry_wait_seconds(tries: int, parameters: Parameters) -> float:
    """How long after try number `tries` (from 1) the next one is due."""
    doublings = min(tries - 1, 32)
    return float(min(first_retry_seconds(parameters) * 2**doublings, LARGEST_WAIT_SECONDS))
