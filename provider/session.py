"""One client's session: how much it may send, what it is owed, what it was handed.

Spec: docs/spec/mailbox.md (Sessions).
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from hushmill.identifiers import AccountKey, Epoch
from hushmill.token_bucket import TokenBucket
from provider.limits import BUCKET_DEPTH, BUCKET_RATE_FACTOR, REDELIVERY_SECONDS
from provider.mailboxes import Mailboxes
from provider.store import Item


class TokenBuckets:
    """What accounts without a session had left, so that a new session earns nothing. A bucket
    fills at 1.1 times the published rate, up to 128, and is forgotten when it is full again: only
    accounts that sent a moment ago have one here."""

    def __init__(self, client_rate: float) -> None:
        self._rate = client_rate * BUCKET_RATE_FACTOR
        self._waiting: OrderedDict[AccountKey, TokenBucket] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._waiting)

    def take_out(self, key: AccountKey, now: float) -> TokenBucket:
        """The account's own, or a new and full one."""
        while self._waiting and next(iter(self._waiting.values())).is_full(now):
            self._waiting.popitem(last=False)
        return self._waiting.pop(key, None) or TokenBucket(self._rate, BUCKET_DEPTH, now)

    def put_back(self, key: AccountKey, bucket: TokenBucket, now: float) -> None:
        if not bucket.is_full(now):
            self._waiting[key] = bucket


@dataclass(frozen=True, slots=True)
class PieceRequest:
    """One owed mail frame, by the piece of a document that its frame asked for."""

    epoch: Epoch
    index: int


@dataclass(slots=True)
class ClientSession:
    """`account` is None until the account is committed and the welcome has left."""

    number: int
    key: AccountKey
    bucket: TokenBucket
    account: int | None = None
    sequence: int = -1  # of the newest control field
    operations: int = 0  # on inboxes, since the last tick
    has_pending: bool = False  # something of this session waits for a commit
    owed: list[PieceRequest] = field(default_factory=list)
    _newest_arrival: int = 0
    _handed: OrderedDict[int, float] = field(default_factory=OrderedDict)
    _was_again: bool = False  # the last item handed out was one that was handed out before

    def next_item(self, account: int, mailboxes: Mailboxes, now: float) -> Item | None:
        """The item to hand out: one that was handed out 30 s ago and is still there, else the
        oldest that this session was not handed yet. The two take turns when there are both, so
        that items which a client never deletes do not keep new ones from it."""
        turns = (self._new_item, self._item_again)
        for take in turns if self._was_again else reversed(turns):
            item = take(account, mailboxes, now)
            if item is not None:
                self._was_again = take == self._item_again
                self._handed[item.arrival] = now
                return item
        return None

    def _new_item(self, account: int, mailboxes: Mailboxes, _now: float) -> Item | None:
        item = mailboxes.next_item(account, self._newest_arrival)
        if item is not None:
            self._newest_arrival = item.arrival
        return item

    def _item_again(self, account: int, mailboxes: Mailboxes, now: float) -> Item | None:
        while self._handed:
            arrival, since = next(iter(self._handed.items()))
            if now - since < REDELIVERY_SECONDS:
                return None
            del self._handed[arrival]
            item = mailboxes.item(account, arrival)
            if item is not None:
                return item
        return None
