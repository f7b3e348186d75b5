"""How much a mix relays: counted by epochs, and told only of whole ones. Pure.

Spec: docs/spec/mixing.md (Counters), docs/spec/directory.md (Load).
"""

from hushmill.identifiers import Epoch
from hushmill.parameters import Parameters
from pki import coarse_load, epoch_at, next_epoch


class LoadMeter:
    """Counts packets of the present epoch. `now` is Unix seconds that never go back.

    The epoch in which it began counts for nothing, nor does one after which an epoch was skipped:
    part of an epoch would pass for a quieter network, and a restart would show.
    """

    __slots__ = ("_counted", "_epoch", "_is_whole", "_last", "_parameters")

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._epoch: Epoch | None = None
        self._is_whole = False
        self._counted = 0
        self._last = 0

    def count(self, packets: int, now: float) -> None:
        """That `packets` left at `now`; 0 of them begins the meter too."""
        self._turn(now)
        self._counted += packets

    def load(self, now: float) -> int:
        """The coarse load of the epoch before the present one; 0 unless all of it was counted."""
        self._turn(now)
        return self._last

    def _turn(self, now: float) -> None:
        epoch = epoch_at(now, self._parameters)
        if self._epoch is not None and epoch <= self._epoch:
            return
        follows = self._epoch is not None and epoch == next_epoch(self._epoch)
        is_told = follows and self._is_whole
        self._last = coarse_load(self._counted, self._parameters.epoch_seconds) if is_told else 0
        self._is_whole = follows
        self._epoch = epoch
        self._counted = 0
