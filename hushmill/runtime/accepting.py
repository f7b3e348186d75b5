"""Which connections cost what, before they are links. Pure."""

from ipaddress import IPv6Address, ip_address

ADMITTED_IN_ONE_TURN = 8
TAKEN_IN_ONE_TURN = 64
IPV6_SITE_BITS = 64  # one subscriber has at least as many addresses as that leaves


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
