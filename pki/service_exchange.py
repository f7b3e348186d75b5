"""One question to one authority over a fresh link, and its one answer: the directory's only use of
sockets by nodes and people's tools. Spec: docs/spec/directory.md (Exchanges).
"""

from collections.abc import Callable

from hushmill.errors import PeerError
from hushmill.link import (
    DIRECTORY_FRAME_BYTES,
    DirectoryMessage,
    LinkClass,
    MessageAssembler,
    MessageCutter,
    decode_directory,
    encode_directory,
)
from hushmill.parameters import Parameters
from hushmill.runtime import (
    Connector,
    DelayedCall,
    FrameLink,
    LinkHandlers,
    LinkIdentity,
    LinkLimits,
    Reactor,
)
from pki.genesis import GenesisAuthority

EXCHANGE_SECONDS = 20.0


def exchange_seconds(parameters: Parameters) -> float:
    """How long a node waits for an authority before it asks another: less where epochs are short,
    so that a dead authority costs a small part of an epoch."""
    return min(EXCHANGE_SECONDS, max(1.5, parameters.epoch_seconds / 10))


class Exchange:
    """Connects, asks, and calls `on_answer` once: with the answer, or with None when the authority
    was silent, unreachable, not the pinned one, or answered with wrong bytes."""

    def __init__(
        self,
        reactor: Reactor,
        authority: GenesisAuthority,
        identity: LinkIdentity | None,
        question: DirectoryMessage,
        on_answer: Callable[[DirectoryMessage | None], None],
        seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        self._question = question
        self._on_answer = on_answer
        self._assembler = MessageAssembler()
        self._is_over = False
        self._deadline: DelayedCall = reactor.callLater(seconds, self._end, None)
        self._connector = Connector(
            reactor,
            authority.host,
            authority.port,
            identity,
            authority.key_hash,
            LinkClass.DIRECTORY,
            DIRECTORY_FRAME_BYTES,
            LinkHandlers(
                on_frames=self._take,
                on_up=self._ask,
                on_down=lambda link: self._end(None),
                on_drop=lambda reason, count: None,
            ),
            limits=LinkLimits(idle_seconds=seconds, unsent_bytes=16 << 20),
        )
        self._connector.start()

    def cancel(self) -> None:
        """Ends without an answer."""
        if not self._is_over:
            self._is_over = True
            self._deadline.cancel()
            self._connector.stop()

    def _ask(self, link: FrameLink) -> None:
        link.send(MessageCutter().cut(encode_directory(self._question)))

    def _take(self, _link: FrameLink, frames: list[bytes]) -> None:
        try:
            for frame in frames:
                message = self._assembler.add(frame)
                if message is not None:
                    self._end(decode_directory(message))
                    return
        except PeerError:
            self._end(None)

    def _end(self, answer: DirectoryMessage | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._deadline.active():
            self._deadline.cancel()
        self._connector.stop()
        self._on_answer(answer)
