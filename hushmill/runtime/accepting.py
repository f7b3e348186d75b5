"""Which connections cost what, before they are links. Pure."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from hushmill.token_bucket import TokenBucket

ADMITTED_IN_ONE_TURN = 8
TAKEN_IN_ONE_TURN = 64
IPV6_SITE_BITS = 64  # one subscriber has at least as many addresses as that leaves
HANDSHAKES_PER_ADDRESS_SECOND = 16.0
HANDSHAKES_PER_ADDRESS_AT_ONCE = 128


class AcceptTurn:
    """How many more connections are taken from the kernel in one turn.

    Each that is admitted costs a handshake; one that is refused for its address costs next to
    nothing, so an address that opens too many does not use up the turns of others. Both have an
    end.
    """

    __slots__ = ("_admitted", "_taken")

    def __init__(self) -> None:
        self._admitted = 0
        self._taken = 0

    @property
    def room(self) -> int:
        return min(ADMITTED_IN_ONE_TURN - self._admitted, TAKEN_IN_ONE_TURN - self._taken)

    def took(self, taken: int, admitted: int) -> bool:
        """Whether to go on, after `taken` of the `room` that there was, `admitted` among them."""
        is_queue_empty = taken < self.room
        self._taken += taken
        self._admitted += admitted
        return not is_queue_empty and self.room > 0


class AddressRates:
    """How many handshakes an address may begin: each costs a millisecond whether or not its peer is
    welcome, so who begins one after another would have all the turns that there are.

    An address is forgotten when it is like a new one, so only those that came within the last
    seconds are known here, and `AcceptTurn` bounds how many those are.
    """

    __slots__ = ("_at_once", "_buckets", "_rate")

    def __init__(
        self,
        rate: float = HANDSHAKES_PER_ADDRESS_SECOND,
        at_once: int = HANDSHAKES_PER_ADDRESS_AT_ONCE,
    ) -> None:
        self._rate = rate
        self._at_once = at_once
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()  # the longest idle first

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, address: str, now: float) -> bool:
        """Whether `address` may begin one more at `now` (seconds)."""
        while self._buckets and next(iter(self._buckets.values())).is_full(now):
            self._buckets.popitem(last=False)
        bucket = self._buckets.pop(address, None) or TokenBucket(self._rate, self._at_once, now)
        self._buckets[address] = bucket
        return bucket.take(now)


def counted_address(host: str) -> str:
    """What has the budget of `host`: an IPv4 address (mapped into IPv6 or not) has its own, an
    IPv6 address that of its /64."""
    address = ip_address(host.partition("%")[0])
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    host_bits = 128 - IPV6_SITE_BITS
    return str(IPv6Address(int(address) >> host_bits << host_bits))
