"""What the daemon does for each command: the messenger's verbs as rows of the method table.

Every verb is durable before it returns, so an answer here is a promise kept. After a verb that left
effects behind the core is told (`acted`).
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

import msgspec

from client.commands_messages import INBOX_PAGE
from client.content import File, Text
from client.core_events import ContactView, MessageView
from client.cover_cost import cover_bytes_a_day
from client.messenger import Messenger
from client.rpc import JsonObject
from client.rpc_server import Answer, Answering, Method
from client.rpc_server_waiting import Waiting
from client.service_pacer import PacerSupervisor
from client.states import MessageState
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import Reactor, now
from pki import Genesis, GenesisNode, NetworkAnonymity

WAIT_LIMIT_SECONDS = 86_400
GUEST_LIMIT = 10_000  # names `guest-1` … are tried up to here
Seconds = Annotated[float, msgspec.Meta(ge=0, le=WAIT_LIMIT_SECONDS)]
RowId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # what the store can hold
_ENDED = (MessageState.DELIVERED, MessageState.UNCONFIRMED)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class InviteParams(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None


class AddParams(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    invitation: str


class VerifyParams(msgspec.Struct, forbid_unknown_fields=True):
    contact: str
    confirm: bool


class FileParams(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    data: str


class SendParams(msgspec.Struct, forbid_unknown_fields=True):
    contact: str
    text: str | None = None
    file: FileParams | None = None


class WaitParams(msgspec.Struct, forbid_unknown_fields=True):
    id: RowId
    seconds: Seconds


class InboxParams(msgspec.Struct, forbid_unknown_fields=True):
    after: RowId
    limit: Annotated[int, msgspec.Meta(ge=1, le=INBOX_PAGE)]
    contact: str | None
    seconds: Seconds


class SentParams(msgspec.Struct, forbid_unknown_fields=True):
    contact: str | None


class AttachmentParams(msgspec.Struct, forbid_unknown_fields=True):
    id: RowId


class PersonMethods:
    """The table for one daemon. `acted` gives the core the chance to go on after a verb."""

    def __init__(
        self,
        reactor: Reactor,
        messenger: Messenger,
        acted: Callable[[], None],
        genesis: Genesis,
        provider: GenesisNode,
        pacer: PacerSupervisor,
    ) -> None:
        self._messenger = messenger
        self._acted = acted
        self._genesis = genesis
        self._provider = provider
        self._pacer = pacer
        self._waiting = Waiting(reactor)

    def table(self) -> dict[str, Answering]:
        return {
            "invite": Method(InviteParams, self.invite),
            "add": Method(AddParams, self.add),
            "contacts": Method(Nothing, self.contacts),
            "verify": Method(VerifyParams, self.verify),
            "send": Method(SendParams, self.send),
            "wait": Method(WaitParams, self.wait),
            "inbox": Method(InboxParams, self.inbox),
            "sent": Method(SentParams, self.sent),
            "attachment": Method(AttachmentParams, self.attachment),
            "status": Method(Nothing, self.status),
        }

    def changed(self) -> None:
        self._waiting.changed()

    def stop(self) -> None:
        self._waiting.stop()

    def invite(self, params: InviteParams) -> JsonObject:
        name = self._guest_name() if params.name is None else params.name
        invitation = self._messenger.invite(name, now())
        self._acted()
        return {
            "name": name,
            "text": invitation.text(),
            "link": invitation.link(),
            "expires": invitation.expires * 3600,
        }

    def _guest_name(self) -> str:
        taken = {contact.name for contact in self._messenger.contacts()}
        for number in range(1, GUEST_LIMIT):
            if f"guest-{number}" not in taken:
                return f"guest-{number}"
        raise UserError("Give the person a name: hushmill invite NAME", ExitCode.USAGE)

    def add(self, params: AddParams) -> JsonObject:
        contact = self._messenger.add(params.invitation, params.name, now())
        self._acted()
        return {"contact": _contact_record(contact)}

    def contacts(self, _: Nothing) -> JsonObject:
        return {"contacts": [_contact_record(view) for view in self._messenger.contacts()]}

    def verify(self, params: VerifyParams) -> JsonObject:
        number = self._messenger.safety_number_of(params.contact)
        if params.confirm:
            self._messenger.mark_verified(params.contact)
            self._acted()
        views = self._messenger.contacts()
        verified = any(view.verified for view in views if view.name == params.contact)
        return {"contact": params.contact, "number": number, "verified": verified}

    def send(self, params: SendParams) -> JsonObject:
        id_ = self._messenger.send(params.contact, _content(params), now())
        self._acted()
        view = self._message(id_)
        return {
            "id": id_,
            "contact": params.contact,
            "state": view.state.value,
            "packets": self._messenger.packets(view.size),
        }

    def wait(self, params: WaitParams) -> Answer:
        def otherwise() -> JsonObject:
            return {"id": params.id, "state": self._message(params.id).state.value}

        def news() -> JsonObject | None:
            return otherwise() if self._message(params.id).state in _ENDED else None

        return self._waiting.answer(news, otherwise, params.seconds)

    def _message(self, id_: int) -> MessageView:
        view = self._messenger.message(id_)
        if view is None:
            raise UserError(f"There is no message {id_}.", ExitCode.NOT_FOUND)
        return view

    def inbox(self, params: InboxParams) -> Answer:
        def otherwise() -> JsonObject:
            views = self._messenger.inbox(params.after, params.contact, params.limit)
            return {"messages": [_message_record(view) for view in views]}

        def news() -> JsonObject | None:
            found = otherwise()
            return found if found["messages"] else None

        return self._waiting.answer(news, otherwise, params.seconds)

    def sent(self, params: SentParams) -> JsonObject:
        """The newest own messages, each with its true state."""
        views = self._messenger.sent(params.contact, INBOX_PAGE)
        return {"messages": [_sent_record(view) for view in views]}

    def attachment(self, params: AttachmentParams) -> JsonObject:
        view, data = self._message(params.id), self._messenger.attachment(params.id)
        if data is None:
            raise UserError(f"Message {params.id} holds no file.", ExitCode.NOT_FOUND)
        return {"name": view.file_name, "data": base64.b64encode(data).decode("ascii")}

    def status(self, _: Nothing) -> JsonObject:
        view = self._messenger.status(now())
        return {
            "name": view.name,
            "network": self._genesis.network,
            "provider": view.provider,
            "provider_name": self._provider.name,
            "link_up": view.link_up,
            "link_refused": self._pacer.refused_status is not None,
            "epoch": view.epoch,
            "document_epoch": view.document_epoch,
            "document_stale": view.document_stale,
            "anonymity": anonymity_record(view.anonymity),
            "contacts": view.contacts,
            "messages": dict(view.messages),
            "outbox_bytes": view.outbox_bytes,
            "loops_sent": view.loops_sent,
            "loops_returned": view.loops_returned,
            "packets": dict(view.packets),
            "drops": dict(view.drops),
            "bytes_a_day": round(cover_bytes_a_day(self._genesis.parameters)),
        }


def _content(params: SendParams) -> Text | File:
    if params.file is not None and params.text is None:
        try:
            data = base64.b64decode(params.file.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UserError("The file is not base64.", ExitCode.USAGE) from error
        return File(params.file.name, data)
    if params.text is None or params.file is not None:
        raise UserError("A message is a text or a file.", ExitCode.USAGE)
    return Text(params.text)


def anonymity_record(figures: NetworkAnonymity | None) -> JsonObject | None:
    """The figures as `status` gives them."""
    if figures is None:
        return None
    return {
        "packet_bits": round(figures.packet_bits, 3),
        "sender_bits": round(figures.sender_bits, 3),
        "clients_estimated": figures.clients_estimated,
        "load_packets_per_second": figures.load_packets_per_second,
    }


def _contact_record(view: ContactView) -> JsonObject:
    return {
        "name": view.name,
        "their_name": view.their_name,
        "state": view.state.value,
        "verified": view.verified,
        "provider": view.provider,
        "invitation_expires": view.invitation_expires,
    }


def _sent_record(view: MessageView) -> JsonObject:
    return {
        "id": view.id,
        "contact": view.contact,
        "state": view.state.value,
        "kind": view.kind,
        "text": view.text,
        "file_name": view.file_name,
        "size": view.size,
        "sent_at": view.sent_at,
    }


def _message_record(view: MessageView) -> JsonObject:
    return {
        "id": view.id,
        "order": view.order,
        "contact": view.contact,
        "kind": view.kind,
        "text": view.text,
        "file_name": view.file_name,
        "size": view.size,
        "sent_at": view.sent_at,
        "gap": view.gap,
        "late": view.late,
    }
