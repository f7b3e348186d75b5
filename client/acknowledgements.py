"""When an acknowledgement leaves, and when a fragment is tried again.

Each contact's acknowledgements tick by a Poisson process of their own, whether or not anything
came, so that their moment says little about a receipt. Its rate depends on that contact's
conversation and on how many contacts there are, never on what is said to others.
Spec: docs/spec/traffic.md (Acknowledgements).
"""

from collections.abc import Iterable

from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, exponential

ACTIVE_SECONDS = 600.0  # a conversation is active this long after its last message
LATE_SECONDS = 5.0  # a tick later than this is from before a standstill, and passes
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
        self._ticks: dict[int, float] = {}
        self._drawn_with: dict[int, float] = {}  # the mean that the contact's tick was drawn with

    @property
    def next_tick(self) -> float | None:
        return min(self._ticks.values(), default=None)

    def watch(self, contact: int, active_at: float, now: float) -> None:
        """The contact's last message either way was at `active_at`."""
        share = self._share_seconds()
        self._active_at[contact] = max(active_at, self._active_at.get(contact, 0.0))
        self._redraw([contact] if self._share_seconds() == share else self._active_at, now)

    def forget(self, contact: int, now: float) -> None:
        if contact in self._active_at:
            for kept in (self._active_at, self._ticks, self._drawn_with):
                del kept[contact]
            self._redraw(self._active_at, now)

    def due(self, now: float) -> list[int]:
        """Whose ticks have come. What was due during a standstill of the machine is not made up
        for: else all contacts would see when it ended."""
        overdue = [contact for contact, tick in self._ticks.items() if tick <= now]
        ticked = [contact for contact in overdue if now - self._ticks[contact] <= LATE_SECONDS]
        for contact in overdue:
            self._draw(contact, now)
        return ticked

    def mean_seconds(self, contact: int, now: float) -> float:
        """Between two ticks of the contact."""
        parameters = self._parameters
        is_active = now - self._active_at[contact] < ACTIVE_SECONDS
        mean = (
            parameters.acknowledgement_active_seconds
            if is_active
            else parameters.acknowledgement_idle_seconds
        )
        return max(mean, self._share_seconds())

    def _share_seconds(self) -> float:
        """The least mean with which all contacts, were each of them active, would stay within
        their share of slots. Their number counts as the next power of two, so that it shows in
        the rate only when that changes."""
        bucket = 1 << max(0, len(self._active_at) - 1).bit_length()
        return bucket / (SHARE_OF_SLOTS * self._parameters.payload_rate)

    def _redraw(self, contacts: Iterable[int], now: float) -> None:
        """Draws the next tick anew where the mean has changed: the process has no memory."""
        for contact in contacts:
            if self._drawn_with.get(contact) != self.mean_seconds(contact, now):
                self._draw(contact, now)

    def _draw(self, contact: int, now: float) -> None:
        mean = self._drawn_with[contact] = self.mean_seconds(contact, now)
        self._ticks[contact] = now + exponential(self._rng, mean)


def first_retry_seconds(parameters: Parameters) -> float:
    """Three expected round trips: there, the recipient's acknowledgement tick, and back."""
    slot = 1 / parameters.payload_rate + 1 / parameters.client_rate
    way = slot + parameters.layers * parameters.hold_mean_seconds
    round_trip = 2 * way + parameters.acknowledgement_active_seconds
    return max(FIRST_RETRY_SECONDS, ROUND_TRIPS_BEFORE_RETRY * round_trip)


def retry_wait_seconds(tries: int, parameters: Parameters) -> float:
    """How long after try number `tries` (from 1) the next one is due."""
    doublings = min(tries - 1, 32)
    return float(min(first_retry_seconds(parameters) * 2**doublings, LARGEST_WAIT_SECONDS))
