"""Messages, own and received, as a person reads them."""

from dataclasses import dataclass, field
from typing import Any

import apsw

from client.content import File, Message, Text
from client.core_events import MessageView
from client.states import Direction, MessageState
from client.store_rows import one_row

_COLUMNS = (
    "message.id, contact.name, direction, message.state, kind, text, file_name, size, sent_at,"
    " coalesce(shown, 0), gap, late"
)
_FROM = "FROM message JOIN contact ON contact.id = message.contact"


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """An own message that is not encrypted yet."""

    id: int
    content: Message = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnshownMessage:
    id: int
    sequence: int
    arrived_at: float


class MessageTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add_own(self, contact: int, content: Message) -> int:
        """The id of a message that waits to be encrypted."""
        return self._add(contact, content, Direction.OUT, MessageState.WAITING, None, None)

    def add_received(self, contact: int, content: Message, sequence: int, now: float) -> int:
        return self._add(contact, content, Direction.IN, MessageState.RECEIVED, sequence, now)

    def _add(
        self,
        contact: int,
        content: Message,
        direction: Direction,
        state: MessageState,
        sequence: int | None,
        arrived_at: float | None,
    ) -> int:
        file_name: str | None = None
        data: bytes | None = None
        match content.body:
            case Text(text):
                kind, size = "text", len(text.encode())
            case File(file_name, data):
                kind, text, size = "file", "", len(data)
        self._db.execute(
            "INSERT INTO message (contact, conversation, direction, state, sequence, kind, device,"
            " sent_at, expires_at, text, file_name, file, size, arrived_at)"
            " VALUES (?1, (SELECT id FROM conversation WHERE contact = ?1 AND kind = 'direct'),"
            " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            (
                contact,
                direction.value,
                state.value,
                sequence,
                kind,
                content.device,
                content.sent_at,
                content.expires_at,
                text,
                file_name,
                data,
                size,
                arrived_at,
            ),
        )
        return self._db.last_insert_rowid()

    def waiting(self, contact: int) -> list[WaitingMessage]:
        """In the order in which they were written."""
        return [
            WaitingMessage(
                id_,
                Message(
                    Text(text) if kind == "text" else File(file_name, data),
                    sent_at,
                    expires_at,
                    device,
                ),
            )
            for id_, device, sent_at, expires_at, kind, text, file_name, data in self._db.execute(
                "SELECT id, device, sent_at, expires_at, kind, text, file_name, file FROM message"
                " WHERE contact = ? AND state = 'waiting' ORDER BY id",
                (contact,),
            )
        ]

    def waiting_bytes(self) -> int:
        row = one_row(
            self._db, "SELECT coalesce(sum(size), 0) FROM message WHERE state = 'waiting'"
        )
        return int(row[0]) if row else 0

    def number(self, id_: int, sequence: int) -> None:
        """The message got its sequence number: it is encrypted."""
        self._db.execute(
            "UPDATE message SET sequence = ?, state = 'queued' WHERE id = ?", (sequence, id_)
        )

    def change_state(self, id_: int, state: MessageState) -> None:
        self._db.execute("UPDATE message SET state = ? WHERE id = ?", (state.value, id_))

    def confirm_late(self, contact: int, through: int) -> list[int]:
        """Own messages that were given up, and have arrived after all; their ids."""
        return [
            id_
            for (id_,) in self._db.execute(
                "UPDATE message SET state = 'delivered' WHERE contact = ? AND direction = 'out'"
                " AND state = 'unconfirmed' AND sequence <= ? RETURNING id",
                (contact, through),
            )
        ]

    def give_up_waiting(self, contact: int) -> list[int]:
        """Marks what waits for this contact as unconfirmed; their ids."""
        return [
            id_
            for (id_,) in self._db.execute(
                "UPDATE message SET state = 'unconfirmed' WHERE contact = ? AND state = 'waiting'"
                " RETURNING id",
                (contact,),
            )
        ]

    def unshown(self, contact: int) -> list[UnshownMessage]:
        """Received and not shown yet, by sequence."""
        return [
            UnshownMessage(*row)
            for row in self._db.execute(
                "SELECT id, sequence, arrived_at FROM message"
                " WHERE contact = ? AND direction = 'in' AND shown IS NULL ORDER BY sequence",
                (contact,),
            )
        ]

    def is_unshown(self, contact: int, sequence: int) -> bool:
        return (
            one_row(
                self._db,
                "SELECT 1 FROM message WHERE contact = ? AND sequence = ?"
                " AND direction = 'in' AND shown IS NULL",
                (contact, sequence),
            )
            is not None
        )

    def oldest_unshown(self) -> list[tuple[int, float]]:
        """(contact, when its oldest unshown message arrived) of all contacts with one."""
        return list(
            self._db.execute(
                "SELECT contact, min(arrived_at) FROM message"
                " WHERE direction = 'in' AND shown IS NULL GROUP BY contact"
            )
        )

    def show(self, id_: int, *, gap: bool, late: bool) -> MessageView:
        """The message, which now has the next place on the screen."""
        self._db.execute(
            "UPDATE message SET gap = ?, late = ?,"
            " shown = (SELECT coalesce(max(shown), 0) + 1 FROM message) WHERE id = ?",
            (int(gap), int(late), id_),
        )
        view = self.view(id_)
        if view is None:
            raise LookupError("a message that is shown exists")
        return view

    def view(self, id_: int) -> MessageView | None:
        row = one_row(self._db, f"SELECT {_COLUMNS} {_FROM} WHERE message.id = ?", (id_,))
        return None if row is None else _view(row)

    def shown_after(self, order: int, contact: int | None, limit: int) -> list[MessageView]:
        """Received messages with a place after `order`, in the order in which they were shown."""
        statement = (
            f"SELECT {_COLUMNS} {_FROM} WHERE shown > ?1 AND (?2 IS NULL OR message.contact = ?2)"
            " ORDER BY shown LIMIT ?3"
        )
        return [_view(row) for row in self._db.execute(statement, (order, contact, limit))]

    def own(self, contact: int | None, limit: int) -> list[MessageView]:
        """The newest `limit` own messages, in the order in which they were written."""
        statement = (
            f"SELECT {_COLUMNS} {_FROM} WHERE direction = 'out'"
            " AND (?1 IS NULL OR message.contact = ?1) ORDER BY message.id DESC LIMIT ?2"
        )
        return [_view(row) for row in self._db.execute(statement, (contact, limit))][::-1]

    def file(self, id_: int) -> bytes | None:
        row = one_row(self._db, "SELECT file FROM message WHERE id = ?", (id_,))
        return None if row is None else row[0]

    def count_own(self) -> tuple[tuple[str, int], ...]:
        """Own messages by state."""
        counted = dict(
            self._db.execute(
                "SELECT state, count(*) FROM message WHERE direction = 'out' GROUP BY state"
            )
        )
        return tuple(
            (state.value, counted.get(state.value, 0))
            for state in MessageState
            if state is not MessageState.RECEIVED
        )


def _view(row: tuple[Any, ...]) -> MessageView:
    id_, contact, direction, state, kind, text, file_name, size, sent_at, order, gap, late = row
    return MessageView(
        id=id_,
        contact=contact,
        direction=Direction(direction),
        state=MessageState(state),
        kind=kind,
        text=text,
        file_name=file_name,
        size=size,
        sent_at=sent_at,
        order=order,
        gap=bool(gap),
        late=bool(late),
    )
