"""The system's generator as a `Randomness`: the only source that the product's cores get."""

import secrets


class SystemRandomness:
    """Uniform bytes from the operating system."""

    __slots__ = ()

    def take(self, count: int) -> bytes:
        return secrets.token_bytes(count)
