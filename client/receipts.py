"""What we tell a contact to have received: everything committed, fragment by fragment."""

from client.envelope import BITMAP_BYTES, WHOLE, Acknowledgement, Entry
from client.states import PieceSource
from client.store import ClientStore
from client.store_contacts import Contact


def acknowledgement_for(store: ClientStore, contact: Contact, room: int) -> Acknowledgement:
    """The acknowledgement to `contact`, with at most `room` entries: the earliest ones, since they
    hold up the most. Everything in it is committed, for it is read from the store. Of what came
    under an invitation only whole messages count: a stranger's piece must not end our contact's
    tries."""
    bitmaps = dict.fromkeys(store.partials.received(contact.id), WHOLE)
    partly: dict[int, bytearray] = {}
    for sequence, number in store.partials.incomplete(contact.id, PieceSource.SESSION):
        bits = partly.setdefault(sequence, bytearray(BITMAP_BYTES))
        bits[number // 8] |= 1 << number % 8
    bitmaps.update((sequence, bytes(bits)) for sequence, bits in partly.items())
    entries = tuple(Entry(sequence, bitmaps[sequence]) for sequence in sorted(bitmaps)[:room])
    return Acknowledgement(contact.received_through, entries)
