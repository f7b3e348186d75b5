"""When a node's key of an epoch is published, accepted and erased.

Spec: docs/spec/mixing.md (Keys). Pure arithmetic on wall time in Unix seconds.
"""

from hushmill.errors import UsageError
from hushmill.identifiers import Epoch
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters


class KeySchedule:
    """The calendar of keys: three questions, each answered from the time alone."""

    __slots__ = ("_early", "_epoch", "_grace")

    def __init__(self, parameters: Parameters) -> None:
        # pki refuses such a genesis: keys of three epochs would be open at once.
        if parameters.key_grace_seconds * 2 >= parameters.epoch_seconds:
            raise UsageError("keys would stay open for half an epoch or more")
        self._epoch = parameters.epoch_seconds
        self._early = 2 * parameters.skew_seconds
        self._grace = parameters.key_grace_seconds

    def current(self, now: float) -> Epoch:
        return Epoch(int(now // self._epoch))

    def published(self, now: float) -> tuple[Epoch, ...]:
        """Epochs whose keys a descriptor made now carries: this one, and what the next document
        needs until it is out of service."""
        first = self.current(now)
        return tuple(Epoch(first + ahead) for ahead in range(KEY_EPOCHS_AHEAD + 2))

    def opens_at(self, epoch: Epoch) -> float:
        """From here on packets under the epoch's key are accepted: senders' clocks may be ahead."""
        return epoch * self._epoch - self._early

    def erased_at(self, epoch: Epoch) -> float:
        """Here the key is erased: no honest packet under it can still be on its way."""
        return (epoch + 1) * self._epoch + self._grace

    def accepts(self, epoch: Epoch, now: float) -> bool:
        return self.opens_at(epoch) <= now < self.erased_at(epoch)

    def accepted(self, now: float) -> tuple[Epoch, ...]:
        """The one or two epochs whose keys are open at `now`."""
        here = self.current(now)
        around = (Epoch(here - 1), here, Epoch(here + 1))
        return tuple(epoch for epoch in around if epoch >= 0 and self.accepts(epoch, now))

    def first_kept(self, now: float) -> Epoch:
        """Keys of every epoch below this one are gone."""
        here = self.current(now)
        return Epoch(here - 1) if now < self.erased_at(Epoch(here - 1)) else here
