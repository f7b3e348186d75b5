"""What a node does beyond mixing: the part that a provider adds to `NodeService` by composition."""

from typing import TYPE_CHECKING, Any, Protocol

from hushmill.core import Core
from mixnode.mix_core import MixCore

if TYPE_CHECKING:
    from mixnode.service import NodeService


class NodeExtension(Protocol):
    """What a node does beyond mixing; a provider has one, a mix has `PlainMix`.

    A node's cores take and give more events and effects than MixCore's, so they are Any here.
    """

    def core(self, mix: MixCore) -> Core[Any, Any]:
        """The core that is to run: one that holds `mix` and passes on its events and effects."""
        ...

    def started(self, service: "NodeService") -> None:
        """The node listens and a consensus is in force; `ready` is said afterwards. Once."""
        ...

    def perform(self, effect: object) -> None:
        """Carries out an effect that is not MixCore's."""
        ...

    def document_accepted(self, data: bytes) -> None:
        """A new signed document, perhaps of the next epoch. May come before `started`."""
        ...

    def stopped(self) -> None:
        """The process is ending; the core gets no more events."""
        ...


class PlainMix:
    """A mix: nothing beyond mixing."""

    def core(self, mix: MixCore) -> Core[Any, Any]:
        return mix

    def started(self, service: "NodeService") -> None:
        pass

    def perform(self, effect: object) -> None:
        raise TypeError(f"a mix does not know the effect {type(effect).__name__}")

    def document_accepted(self, data: bytes) -> None:
        pass

    def stopped(self) -> None:
        pass
