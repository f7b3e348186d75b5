"""Once the store raised in the middle of something, nothing is answered any more."""

from collections.abc import Callable

import pytest

from hushmill.errors import ExitCode, UserError
from hushmill.link import Control, InboxOperation, MailHandle
from provider import MailboxStore
from tests.provider.harness import Client, ProviderInTime, connected, deposit_id, inbox_id


class BrokenDiskError(UserError):
    def __init__(self) -> None:
        super().__init__("The disk did not take the mailboxes.", ExitCode.SECURITY_STOP)


@pytest.fixture
def alice() -> Client:
    alice = connected(ProviderInTime())
    alice.register(inbox_id(1))
    alice.provider.deposit(inbox_id(1), deposit_id(1))
    alice.ask()
    alice.answers()
    return alice


def break_once(patch: pytest.MonkeyPatch, method: str, *, takes_back: bool) -> None:
    """The next call fails as on an error of the disk, on which the engine may take back what was
    not committed; the calls after it would work again."""

    def fail(store: MailboxStore, *_values: object) -> None:
        patch.undo()
        if takes_back:
            store.abandon()
        raise BrokenDiskError

    patch.setattr(MailboxStore, method, fail)


def ask(client: Client, control: Control | None = None) -> None:
    client.send(control)
    client.provider.run(0.2)


def register(client: Client) -> None:
    ask(client, client.control(InboxOperation.REGISTER_LIVE, inbox_id(2)))


@pytest.mark.parametrize("takes_back", [True, False])
@pytest.mark.parametrize("method", ["add_inbox", "inbox", "inboxes_of", "commit", "free_pages"])
def test_no_control_is_answered_after_the_store_raised(
    alice: Client, monkeypatch: pytest.MonkeyPatch, method: str, takes_back: bool
) -> None:
    provider = alice.provider
    bob = connected(provider, "bob")
    bob.answers()
    bob.send(bob.control(InboxOperation.REGISTER_LIVE, inbox_id(3)))
    break_once(monkeypatch, method, takes_back=takes_back)
    for _ in range(3):
        with pytest.raises(BrokenDiskError):
            register(alice)
        with pytest.raises(BrokenDiskError):
            ask(alice)
    assert not alice.answers()
    assert not bob.answers()
    assert not provider.store.is_dirty


def delete(client: Client) -> None:
    item = client.provider.store.next_item(1, 0)
    assert item is not None
    ask(client, client.control(handles=(MailHandle(item.handle),)))


def deposit(client: Client) -> None:
    client.provider.deposit(inbox_id(1), deposit_id(2))
    client.provider.run(0.2)


def clean(client: Client) -> None:
    client.provider.run(7200.0)


@pytest.mark.parametrize(
    ("method", "act"), [("bury", delete), ("add_item", deposit), ("expired_inboxes", clean)]
)
def test_nor_after_it_raised_for_a_deletion_a_deposit_or_the_cleaning(
    alice: Client,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    act: Callable[[Client], None],
) -> None:
    break_once(monkeypatch, method, takes_back=True)
    with pytest.raises(BrokenDiskError):
        act(alice)
    alice.answers()
    with pytest.raises(BrokenDiskError):
        ask(alice)
    assert not alice.answers()
    assert alice.provider.items() == 1
