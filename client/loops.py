"""Our own loops: packets to our own inbox, by which a client notices that packets are dropped.

    deposit id = nonce 8 | derive(TRAFFIC_LOOP, secret, nonce) 8

To everyone else the id is random like any other; we know it again by the secret alone, so nothing
needs to be remembered over a restart. Spec: docs/spec/traffic.md (Loops).
"""

from collections import OrderedDict

from hushmill.crypto import Label, derive, equal
from hushmill.identifiers import DEPOSIT_ID_BYTES, DepositId
from hushmill.randomness import Randomness

OUTSTANDING_LIMIT = 4096  # the oldest are taken as lost
_NONCE_BYTES = 8


class Loops:
    """Counts loops since the start of the program; those of an earlier one count as strays."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._outstanding: OrderedDict[DepositId, None] = OrderedDict()
        self.sent = 0
        self.returned = 0
        self.strays = 0

    def deposit(self, rng: Randomness) -> DepositId:
        """A fresh id for a loop."""
        nonce = rng.take(_NONCE_BYTES)
        return DepositId(nonce + self._mark(nonce))

    def mark_sent(self, deposit: DepositId) -> None:
        self.sent += 1
        self._outstanding[deposit] = None
        while len(self._outstanding) > OUTSTANDING_LIMIT:
            self._outstanding.popitem(last=False)

    def take_back(self, deposit: DepositId) -> bool:
        """Whether `deposit` is one of our loops, which has now returned."""
        nonce = deposit[:_NONCE_BYTES]
        if not equal(self._mark(nonce), deposit[_NONCE_BYTES:]):
            return False
        if deposit in self._outstanding:
            del self._outstanding[deposit]
            self.returned += 1
        else:
            self.strays += 1
        return True

    def _mark(self, nonce: bytes) -> bytes:
        return derive(Label.TRAFFIC_LOOP, DEPOSIT_ID_BYTES - _NONCE_BYTES, self._secret, nonce)
