"""What accounts may do with mailboxes. Spec: docs/spec/mailbox.md (Accounts, Inboxes, Items).

Every change is an operation: applied at once, durable after `commit`. The operations since the last
commit are remembered, so that when there is no room left they can be applied again without those
that need room: deposits and new accounts are then refused and counted, everything else, deletion
first of all, goes on. Nothing here tells a depositor anything.

Any other error of the store is the end: nobody knows then what of the uncommitted is still there,
so from there on every change and every commit raises it again, and nothing is answered.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, assert_never

from hushmill.drops import Drop
from hushmill.identifiers import AccountKey, DepositId, InboxId
from hushmill.randomness import Randomness
from provider import limits
from provider.limits import Limits
from provider.store import NEVER, Inbox, InboxKind, Item, MailboxStore, NoRoomError

HANDLE_BYTES = 8
NO_HANDLE = bytes(HANDLE_BYTES)
KEPT_PAGES = 512  # below so many free pages of the operator's limit deposits are refused: these
# are for deletions, which leave tombstones before they free whole pages
RECOVERY_PAGES = 640  # so many must be free before deposits are taken again


@dataclass(frozen=True, slots=True)
class OpenAccount:
    key: AccountKey


@dataclass(frozen=True, slots=True)
class Deposit:
    inbox: InboxId
    deposit: DepositId
    body: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    account: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class RegisterLive:
    account: int
    inbox: InboxId


@dataclass(frozen=True, slots=True)
class RegisterInvitation:
    account: int
    inbox: InboxId
    lifetime_hours: int


@dataclass(frozen=True, slots=True)
class RemoveInbox:
    account: int
    inbox: InboxId


Operation = OpenAccount | Deposit | Delete | RegisterLive | RegisterInvitation | RemoveInbox


class Reserve(Protocol):
    """Disk space kept back, so that people can still delete when the disk is full."""

    def release(self) -> None:
        """Gives the space to the store."""
        ...

    def is_held(self) -> bool:
        """Whether there is room enough for deposits, with the reserve held; it is taken back if it
        was released and can be."""
        ...


class NoReserve:
    """For a store in memory."""

    def release(self) -> None:
        return

    def is_held(self) -> bool:
        return True


class Mailboxes:
    """The rules over one store. Drops are counted into `drops`."""

    def __init__(
        self,
        store: MailboxStore,
        limits_: Limits,
        rng: Randomness,
        drops: Counter[Drop],
        reserve: Reserve,
    ) -> None:
        self._store = store
        self._limits = limits_
        self._rng = rng
        self._drops = drops
        self._reserve = reserve
        self._answer_inboxes = _AnswerInboxes(limits_.sessions)
        self._batch: list[Operation] = []
        self._is_full = not self._has_room()
        self._is_lost = False
        self._failure: Exception | None = None

    # -- the road of a change

    @property
    def is_full(self) -> bool:
        """Whether deposits and new accounts are refused for want of room."""
        return self._is_full

    @property
    def has_failed(self) -> bool:
        """Whether the store raised: nothing can be committed any more."""
        return self._failure is not None

    @contextmanager
    def _or_never_again(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except Exception as error:
            self._failure = error
            with suppress(Exception):
                self._store.abandon()
            raise

    @property
    def is_dirty(self) -> bool:
        """Whether `commit` has something to do."""
        return bool(self._batch) or self._is_lost or self._store.is_dirty

    def apply(self, operation: Operation, now: float) -> None:
        """Carries out `operation`; what it may not do is counted and has no effect."""
        if self._is_full and isinstance(operation, Deposit | OpenAccount):
            self._drops[Drop.NO_ROOM] += 1
            return
        self._batch.append(operation)
        with self._or_never_again():
            try:
                self._perform(operation, now, self._drops)
            except NoRoomError:
                self._apply_again_without_deposits(now)

    def commit(self, now: float, *, owes_answers: bool = False) -> bool:
        """Makes everything applied durable; where answers wait for it, it syncs even if nothing was
        applied, since the time of one's answers must not tell of another's mail.

        False if there was no room even for deletions: then nothing since the last commit happened,
        and who asked for it must be told or cut off.
        """
        with self._or_never_again():
            return self._commit(now, owes_answers)

    def _commit(self, now: float, owes_answers: bool) -> bool:
        try:
            if owes_answers:
                self._store.note_tick()
            self._store.commit()
        except NoRoomError:
            self._apply_again_without_deposits(now)
            try:
                self._store.commit()
            except NoRoomError:
                self._give_up()
        if self._is_full:
            self._keep_log_short()
        self._is_full |= self._store.free_pages() < KEPT_PAGES or not self._reserve.is_held()
        is_durable = not self._is_lost
        self._batch.clear()
        self._is_lost = False
        return is_durable

    def _apply_again_without_deposits(self, now: float) -> None:
        self._is_full = True
        self._store.abandon()
        self._reserve.release()
        batch, self._batch = self._batch, []
        already_counted: Counter[Drop] = Counter()
        self._keep_log_short()
        try:
            for operation in batch:
                if isinstance(operation, Deposit | OpenAccount):
                    self._drops[Drop.NO_ROOM] += 1
                else:
                    self._batch.append(operation)
                    self._perform(operation, now, already_counted)
        except NoRoomError:
            self._give_up()

    def _keep_log_short(self) -> None:
        """So that what is left of the disk is for the database, which deletions make grow a little
        before they make room in it."""
        with suppress(NoRoomError):
            self._store.reuse_log()

    def _give_up(self) -> None:
        self._store.abandon()
        self._batch.clear()
        self._is_lost = True

    def look_for_room(self) -> None:
        """Takes deposits again if there is room again."""
        self._is_full = self._is_full and not self._has_room()

    def _has_room(self) -> bool:
        return self._reserve.is_held() and self._store.free_pages() >= RECOVERY_PAGES

    def abandon(self) -> None:
        """Forgets what is not committed, as a crash does."""
        self._store.abandon()

    # -- the rules

    def _perform(self, operation: Operation, now: float, drops: Counter[Drop]) -> None:
        hour = _hour(now)
        match operation:
            case OpenAccount(key):
                self._open_account(key, hour, drops)
            case Deposit():
                self._deposit(operation, hour, drops)
            case Delete(account, handle):
                tombstone_hour = hour + 1 + limits.TOMBSTONE_HOURS
                self._store.bury(
                    account, handle, tombstone_hour, self._limits.tombstones_per_account
                )
            case RegisterLive(account, inbox):
                self._register_live(account, inbox, hour, drops)
            case RegisterInvitation(account, inbox, lifetime_hours):
                self._register_invitation(account, inbox, lifetime_hours, hour, drops)
            case RemoveInbox(account, inbox):
                known = self._store.inbox(inbox)
                if known and known.account == account and known.kind is not InboxKind.CLOSED:
                    self._close(known, hour)
            case _:
                assert_never(operation)

    def _open_account(self, key: AccountKey, hour: int, drops: Counter[Drop]) -> None:
        if self._store.account_number(key) is not None:
            return
        if self._store.account_count() >= self._limits.accounts:
            drops[Drop.ACCOUNT] += 1
            return
        self._store.add_account(key, hour)

    def _deposit(self, put: Deposit, hour: int, drops: Counter[Drop]) -> None:
        account = self._account_that_takes(put, hour)
        if account is None:
            drops[Drop.NO_INBOX] += 1
        elif self._store.is_taken(put.inbox, put.deposit):
            drops[Drop.DUPLICATE] += 1
        elif self._store.item_count(account) >= self._limits.items_per_account:
            drops[Drop.QUOTA] += 1
        else:
            self._answer_inboxes.use_up(put.inbox)
            handle = self._new_handle()
            expires_hour = hour + 1 + limits.ITEM_HOURS
            self._store.add_item(account, put.inbox, put.deposit, handle, put.body, expires_hour)

    def _account_that_takes(self, put: Deposit, hour: int) -> int | None:
        """Absent, closed, expired and used up inboxes are all the same None.

        What is in the store comes first: nobody gets another's mail by naming that other's inbox
        as a one-time inbox of their own.
        """
        inbox = self._store.inbox(put.inbox)
        if inbox is None:
            return self._answer_inboxes.account_of(put.inbox)
        if inbox.kind is InboxKind.CLOSED or _is_over(inbox.expires_hour, hour):
            return None
        if inbox.kind is InboxKind.INVITATION and inbox.accepted >= limits.INVITATION_ITEMS:
            taken = self._store.is_taken(put.inbox, put.deposit)
            return inbox.account if taken else None
        return inbox.account

    def _new_handle(self) -> bytes:
        """Random, so that it tells an account nothing of other people's mail."""
        while True:
            handle = self._rng.take(HANDLE_BYTES)
            if handle != NO_HANDLE:
                return handle

    def _register_live(self, account: int, inbox: InboxId, hour: int, drops: Counter[Drop]) -> None:
        if not self._is_free(account, inbox, drops):
            return
        live = self._of_kind(account, InboxKind.LIVE)
        for old in live[: max(0, len(live) - (limits.LIVE_INBOXES - 1))]:
            self._close(old, hour)
        for previous in live[-1:]:
            grace = hour + 1 + limits.LIVE_GRACE_HOURS
            self._store.change_inbox(previous.inbox, InboxKind.LIVE, grace)
        self._store.add_inbox(account, inbox, InboxKind.LIVE, NEVER)

    def _register_invitation(
        self, account: int, inbox: InboxId, lifetime_hours: int, hour: int, drops: Counter[Drop]
    ) -> None:
        if not self._is_free(account, inbox, drops):
            return
        if len(self._of_kind(account, InboxKind.INVITATION)) >= limits.INVITATION_INBOXES:
            drops[Drop.QUOTA] += 1
            return
        lifetime_hours = max(1, min(lifetime_hours, limits.INVITATION_LIFETIME_HOURS))
        expires_hour = hour + 1 + lifetime_hours
        self._store.add_inbox(account, inbox, InboxKind.INVITATION, expires_hour)

    def _is_free(self, account: int, inbox: InboxId, drops: Counter[Drop]) -> bool:
        """Whether the id is new; registering one's own again is nothing, another's is counted."""
        known = self._store.inbox(inbox)
        if known is not None and known.account != account:
            drops[Drop.NO_INBOX] += 1
        return known is None

    def _of_kind(self, account: int, kind: InboxKind) -> list[Inbox]:
        return [inbox for inbox in self._store.inboxes_of(account) if inbox.kind is kind]

    def _close(self, inbox: Inbox, hour: int) -> None:
        """From now on it takes nothing, and for 30 days nobody else may have its id."""
        expires_hour = hour + 1 + limits.CLOSED_HOURS
        self._store.change_inbox(inbox.inbox, InboxKind.CLOSED, expires_hour)
        closed = self._of_kind(inbox.account, InboxKind.CLOSED)
        closed.sort(key=lambda row: row.expires_hour)
        for forgotten in closed[: max(0, len(closed) - limits.CLOSED_INBOXES)]:
            self._store.remove_inbox(forgotten.inbox)

    def register_answer_inbox(self, account: int, inbox: InboxId) -> None:
        """A one-time inbox for a service's answer: in memory only, the newest 32 an account."""
        self._answer_inboxes.register(account, inbox)

    # -- reading; only what is committed may be handed out, so only after `commit`

    def account_number(self, key: AccountKey) -> int | None:
        return self._store.account_number(key)

    def next_item(self, account: int, after_arrival: int) -> Item | None:
        return self._store.next_item(account, after_arrival)

    def item(self, account: int, arrival: int) -> Item | None:
        return self._store.item(account, arrival)

    # -- time

    def note_use(self, account: int, now: float) -> None:
        """The account was used in this hour: it is kept for 90 days more."""
        hour = _hour(now)
        with self._or_never_again():
            if self._is_full or self._store.used_hour(account) >= hour:
                return
            try:
                self._store.touch_account(account, hour)
            except NoRoomError:
                self._apply_again_without_deposits(now)

    def expire(self, now: float) -> bool:
        """Removes some of what is past its time; whether there may be more to remove."""
        with self._or_never_again():
            return self._expire(now)

    def _expire(self, now: float) -> bool:
        hour = _hour(now) - limits.EXPIRY_SLACK_HOURS
        rows = limits.EXPIRY_ROWS
        try:
            inboxes = self._store.expired_inboxes(hour, rows)
            for inbox in inboxes:
                if inbox.kind is InboxKind.CLOSED:
                    self._store.remove_inbox(inbox.inbox)
                else:
                    self._close(inbox, _hour(now))
            items = self._store.expire_items(hour, rows)
            tombstones = self._store.expire_tombstones(hour, rows)
            accounts = [] if self._is_full else self._expire_accounts(hour)
        except NoRoomError:
            self._apply_again_without_deposits(now)
            return False
        for account in accounts:
            self._answer_inboxes.forget(account)
        return max(len(inboxes), items, tombstones, len(accounts)) >= rows

    def _expire_accounts(self, hour: int) -> list[int]:
        """Not without room: nobody's use could be noted then."""
        return self._store.expire_accounts(
            hour - limits.ACCOUNT_IDLE_HOURS,
            hour - limits.ACCOUNT_UNUSED_HOURS,
            limits.EXPIRY_ROWS,
        )

    def forget_old_log(self) -> None:
        """Overwrites what the store's log still holds of deleted rows. Only after `commit`."""
        with self._or_never_again():
            try:
                self._store.forget_old_log()
            except NoRoomError:
                self._is_full = True
                self._reserve.release()


class _AnswerInboxes:
    """One-time inboxes by account: `ANSWER_INBOXES` each, of the accounts last active.

    A restart forgets them; whoever waits for a service's answer asks again. On disk they would be
    a write for every frame of every client.
    """

    def __init__(self, accounts: int) -> None:
        self._accounts_limit = accounts
        self._by_account: OrderedDict[int, deque[InboxId]] = OrderedDict()
        self._account_of: dict[InboxId, int] = {}

    def register(self, account: int, inbox: InboxId) -> None:
        """Adds a new id and forgets the account's oldest above the limit."""
        if inbox in self._account_of:
            return
        ring = self._by_account.setdefault(account, deque())
        self._by_account.move_to_end(account)
        ring.append(inbox)
        self._account_of[inbox] = account
        if len(ring) > limits.ANSWER_INBOXES:
            self._forget_id(account, ring.popleft())
        if len(self._by_account) > self._accounts_limit:
            self.forget(next(iter(self._by_account)))

    def account_of(self, inbox: InboxId) -> int | None:
        return self._account_of.get(inbox)

    def forget(self, account: int) -> None:
        for inbox in self._by_account.pop(account, ()):
            self._forget_id(account, inbox)

    def _forget_id(self, account: int, inbox: InboxId) -> None:
        """An id that was used up may be another account's by now."""
        if self._account_of.get(inbox) == account:
            del self._account_of[inbox]

    def use_up(self, inbox: InboxId) -> None:
        """It takes no second item. Its place in the ring stays until it is the oldest."""
        self._account_of.pop(inbox, None)


def _hour(now: float) -> int:
    return int(now // 3600)


def _is_over(expires_hour: int, hour: int) -> bool:
    return expires_hour + limits.EXPIRY_SLACK_HOURS <= hour
