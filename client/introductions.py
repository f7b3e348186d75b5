"""How two people meet: an invitation, its answer, and the hello that begins the session.

    inviter                                            invited
    invite: one-time inbox, text  ── by other means ──► add: contact, answer queued
    meet: session, hello queued   ◄──── answer ──────── (bundle, address, name)
                                  ───── hello ────────► welcome: session, contact active
    contact active                ◄── any envelope ──── (under the session's secrets)

Neither needs the other online. Each step is one transaction of the caller's.
Spec: docs/spec/traffic.md (Meeting).
"""

from client.bundle import PreKeys
from client.envelope import Address, Envelope
from client.fragments import reassemble
from client.handshake_header import HandshakeHeader, handshake_fingerprint
from client.identity import Identity
from client.invitation import Invitation
from client.outbox import Outbox
from client.session import Session, accept_session, start_session
from client.states import ContactState, InvitationState
from client.store import ClientStore
from client.store_contacts import Contact
from client.store_invitations import StoredInvitation
from client.store_person import Person
from client.wording import decode_answer, decode_parcel, encode_answer, encode_hello, encode_parcel
from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.link import InboxOperation

ANSWER_SEQUENCE = 0
_HOUR = 3600.0
_OPERATION_SLACK_HOURS = 24  # the answer may lie in the inbox when the invitation runs out
PREKEYS_KEPT = 16  # of the newest; a right clock has seven
GRACE_SECONDS = 3 * 24 * _HOUR  # an answer given in time may still be met after the invitation ends


class Introductions:
    """Every method that writes is called inside the caller's transaction."""

    def __init__(
        self, store: ClientStore, outbox: Outbox, person: Person, identity: Identity
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._person = person
        self._identity = identity

    # 1. the two verbs

    def invite(self, contact: int, invitation: Invitation, now: float) -> None:
        """The invitation is out, and its inbox is to be registered."""
        expires_at = invitation.expires * _HOUR
        self._store.invitations.add(invitation, contact, expires_at, is_own=True)
        hours = int((expires_at - now) // _HOUR) + _OPERATION_SLACK_HOURS
        self._store.mailbox.ask(InboxOperation.REGISTER_INVITATION, invitation.inbox, hours)

    def require_fresh(self, invitation: Invitation, now: float) -> None:
        """Refuses an invitation that is expired, our own, or was used here. Raises UserError."""
        invitation.require_usable(self._person.network, now)
        if invitation.names(self._identity.public):
            raise UserError(
                "This is your own invitation. Give it to the other person, who adds you with it.",
                ExitCode.SECURITY_STOP,
            )
        if self._store.invitations.find(invitation) is not None:
            raise UserError(
                "This invitation was used already: each is good for one person, once. Ask for a "
                "new one.",
                ExitCode.SECURITY_STOP,
            )

    def answer(self, contact: int, invitation: Invitation, now: float) -> None:
        """Our answer is on its way, and is tried again until we are met."""
        self._store.invitations.add(
            invitation, contact, invitation.expires * _HOUR + GRACE_SECONDS, is_own=False
        )
        self._store.contacts.move_to_invitation(contact, invitation.provider, invitation.inbox)
        bundle = self._prekeys()[-1][1].bundle()
        self._outbox.add_numbered(
            contact,
            ANSWER_SEQUENCE,
            invitation.to_inviter_secret,
            encode_answer(bundle, self._person.name),
            None,
            now,
        )

    # 2. the inviter gets the answer

    def meet(self, stored: StoredInvitation, envelope: Envelope, now: float) -> None:
        """The session begins towards whoever held the invitation, who may be hostile.

        Raises PeerError: INVITATION for one that is used or expired, SESSION for a bad answer.
        """
        if stored.state is not InvitationState.OPEN or stored.invitation.is_expired(now):
            raise PeerError(Drop.INVITATION)
        piece = envelope.piece
        if piece is None or (piece.sequence, piece.number) != (ANSWER_SEQUENCE, 0):
            raise PeerError(Drop.SESSION)
        answer = decode_answer(reassemble([piece.fragment]))
        if answer.bundle.identity == self._identity.public or not answer.bundle.is_usable(now):
            raise PeerError(Drop.SESSION)
        session, header, ciphertext = start_session(
            self._identity,
            answer.bundle,
            stored.invitation.secret,
            encode_hello(self._person.name),
        )
        self._begin(stored, session, header, envelope.sender, ContactState.CONFIRMING, now)
        self._store.contacts.name_themselves(stored.contact, answer.name)
        self._store.mailbox.ask(InboxOperation.REMOVE, stored.invitation.inbox, 0)
        self._outbox.add_parcel(
            stored.contact,
            stored.invitation.to_invited_secret,
            encode_parcel(header, ciphertext),
            None,
            now,
        )

    # 3. the invited side is met

    def welcome(
        self, stored: StoredInvitation, parcel: bytes, sender: Address, now: float
    ) -> bytes:
        """The plaintext of the first message that arrived whole, and with it the session.

        Raises PeerError(SESSION) unless whoever made the invitation wrote it, for us, now.
        """
        header, ciphertext = decode_parcel(parcel)
        if header is None:
            raise PeerError(Drop.SESSION)
        number, prekeys = self._prekeys_for(HandshakeHeader.decode(header))
        session, plaintext = accept_session(
            self._identity, prekeys, header, stored.invitation.secret, ciphertext
        )
        if not stored.invitation.names(session.peer):
            raise PeerError(Drop.SESSION)
        if not self._store.person.remember_handshake(handshake_fingerprint(header), number):
            raise PeerError(Drop.SESSION)
        self._begin(stored, session, None, sender, ContactState.ACTIVE, now)
        answer = self._store.parcels.with_sequence(stored.contact, ANSWER_SEQUENCE)
        if answer is not None:
            self._store.parcels.remove(answer.id)
        return plaintext

    def _begin(
        self,
        stored: StoredInvitation,
        session: Session,
        header: bytes | None,
        sender: Address,
        state: ContactState,
        now: float,
    ) -> None:
        contacts = self._store.contacts
        self._store.sessions.add(stored.contact, session, header, now)
        self._store.invitations.change_state(stored.contact, InvitationState.USED)
        contacts.meet(stored.contact, session.peer)
        contacts.move(stored.contact, sender.provider, sender.inbox, sender.serial)
        contacts.touch(stored.contact, now)
        contacts.change_state(stored.contact, state)

    # 4. the invitation runs out

    def expire(self, now: float) -> list[Contact]:
        """The contacts whose invitation ran out before the two met."""
        ended = []
        for stored in self._store.invitations.overdue(now):
            self._store.invitations.change_state(stored.contact, InvitationState.EXPIRED)
            self._store.contacts.change_state(stored.contact, ContactState.EXPIRED)
            answer = self._store.parcels.with_sequence(stored.contact, ANSWER_SEQUENCE)
            if answer is not None:
                self._store.parcels.remove(answer.id)
            ended.append(self._store.contacts.numbered(stored.contact))
        return ended

    # prekeys

    def rotate_prekeys(self, now: float) -> None:
        """Fresh ones every week; those that are dead are erased. By their number too: those from a
        clock that was ahead would live too long."""
        kept = self._prekeys()
        if not kept or kept[-1][1].should_rotate(now):
            self._store.person.add_prekeys(PreKeys.generate(self._identity, now).raw, now)
        for number, prekeys in kept:
            if prekeys.is_dead(now) or number <= kept[-1][0] - PREKEYS_KEPT:
                self._store.person.remove_prekeys(number)

    def _prekeys(self) -> list[tuple[int, PreKeys]]:
        return [(number, PreKeys.load(raw)) for number, raw in self._store.person.all_prekeys()]

    def _prekeys_for(self, header: HandshakeHeader) -> tuple[int, PreKeys]:
        for number, prekeys in self._prekeys():
            if prekeys.bundle().prekey.raw == header.prekey:
                return number, prekeys
        raise PeerError(Drop.SESSION)
