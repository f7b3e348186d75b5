"""The store's own promises: durable settings, one owner, refused strangers, counters that agree."""

from pathlib import Path

import apsw
import pytest

from experiments.simnet.seeded import SeededRandomness
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import AccountKey
from hushmill.randomness import below
from provider import MailboxStore, open_mailbox_store
from provider.store import NEVER, InboxKind
from tests.provider.harness import deposit_id, inbox_id

KEY = AccountKey(bytes(32))


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1)],
)
def test_is_durable_and_overwrites_what_it_deletes(
    tmp_path: Path, pragma: str, value: object
) -> None:
    store = open_mailbox_store(tmp_path / "mailboxes.db")
    assert store._connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)
    store.close()


def test_a_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    """The engine's own calls of xSync on the log, between the first write and the return."""
    calls: list[str] = []

    class Watched(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("watched", "")

        def xOpen(  # noqa: N802
            self, name: str | apsw.URIFilename | None, flags: list[int]
        ) -> apsw.VFSFile:
            return WatchedFile("", name, flags)

    class WatchedFile(apsw.VFSFile):
        def __init__(self, base: str, name: str | apsw.URIFilename | None, flags: list[int]):
            path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            self._kind = "log" if path.endswith("-wal") else "other"
            super().__init__(base, name, flags)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            calls.append(f"write {self._kind}")
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            calls.append(f"sync {self._kind}")
            super().xSync(flags)

    disk = Watched()
    store = MailboxStore(apsw.Connection(str(tmp_path / "mailboxes.db"), vfs="watched"))
    for number in range(5):
        calls.clear()
        store.add_account(AccountKey(number.to_bytes(32, "big")), 1)
        assert "sync log" not in calls
        store.commit()
        assert "write log" in calls
        assert calls[-1] == "sync log"
    store.close()
    disk.unregister()


def test_what_is_abandoned_is_gone_and_what_is_committed_stays(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    store = open_mailbox_store(path)
    account = store.add_account(KEY, 1)
    store.commit()
    store.add_item(account, inbox_id(1), deposit_id(1), b"12345678", b"body", 9)
    store.abandon()
    assert not store.is_dirty
    assert store.next_item(account, 0) is None
    store.close()
    store = open_mailbox_store(path)
    assert store.account_number(KEY) == account
    assert store.counts().items == 0
    store.close()


def test_a_second_process_is_told_that_it_runs_already(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    store = open_mailbox_store(path)
    store.add_account(KEY, 1)
    store.commit()
    with pytest.raises(UserError) as caught:
        open_mailbox_store(path)
    assert caught.value.exit_code is ExitCode.LOCKED
    store.close()


def test_damaged_and_foreign_files_are_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    path.write_bytes(b"this is not a database" * 1000)
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        open_mailbox_store(path)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP
    assert path.read_bytes() == before
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("CREATE TABLE notes (note)")
    other.close()
    with pytest.raises(UserError) as caught:
        open_mailbox_store(tmp_path / "other.db")
    assert caught.value.exit_code is ExitCode.SECURITY_STOP


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    open_mailbox_store(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(UserError) as caught:
        open_mailbox_store(path)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP


def test_its_file_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    open_mailbox_store(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_deleted_bytes_leave_the_file_and_its_log(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    canary = b"canary" * 20
    store = open_mailbox_store(path)
    account = store.add_account(KEY, 1)
    store.add_item(account, inbox_id(1), deposit_id(1), b"12345678", canary, 9)
    store.commit()

    def is_there() -> bool:
        return any(canary in file.read_bytes() for file in tmp_path.iterdir())

    assert is_there()
    assert store.bury(account, b"12345678", 9, 10)
    store.commit()
    store.forget_old_log()
    assert not is_there()
    store.close()


def test_arrival_numbers_are_never_used_again() -> None:
    store = MailboxStore(apsw.Connection(":memory:"))
    account = store.add_account(KEY, 1)
    store.add_item(account, inbox_id(1), deposit_id(1), b"12345678", b"", 9)
    first = store.next_item(account, 0)
    assert first is not None
    store.bury(account, b"12345678", 9, 10)
    store.add_item(account, inbox_id(1), deposit_id(2), b"12345678", b"", 9)
    assert store.next_item(account, first.arrival) is not None


@pytest.mark.parametrize("seed", range(5))
def test_counters_agree_with_the_rows_whatever_happened(seed: int) -> None:
    """1,000 random operations on three accounts, some committed and some abandoned."""
    rng = SeededRandomness(seed, "operations")
    store = MailboxStore(apsw.Connection(":memory:"))
    accounts = [store.add_account(AccountKey(bytes([n]) * 32), 1) for n in range(3)]
    for number, account in enumerate(accounts):
        store.add_inbox(account, inbox_id(number), InboxKind.LIVE, NEVER)
    store.commit()
    for _ in range(1000):
        place = below(rng, 3)
        deposit, handle = deposit_id(below(rng, 40)), below(rng, 60).to_bytes(8, "big")
        match below(rng, 6):
            case 0 | 1:
                if not store.is_taken(inbox_id(place), deposit):
                    unique = rng.take(8) if below(rng, 2) else handle
                    taken = store._connection.execute(
                        "SELECT 1 FROM items WHERE account = ? AND handle = ?",
                        (accounts[place], unique),
                    ).fetchone()
                    if not taken:
                        expires = below(rng, 50)
                        store.add_item(
                            accounts[place], inbox_id(place), deposit, unique, b"", expires
                        )
            case 2:
                store.bury(accounts[place], handle, below(rng, 50), 15)
            case 3:
                if below(rng, 10) == 0:
                    store.expire_items(below(rng, 20), 3)
                    store.expire_tombstones(below(rng, 20), 3)
            case 4:
                store.commit()
            case _:
                if below(rng, 5) == 0:
                    store.abandon()
        wrong = store._connection.execute(
            "SELECT account FROM accounts a WHERE tombstones > 15"
            " OR items != (SELECT count(*) FROM items i WHERE i.account = a.account)"
            " OR tombstones != (SELECT count(*) FROM tombstones t WHERE t.account = a.account)"
        ).fetchall()
        assert wrong == []
        counted = store._connection.execute(
            "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM items)"
        ).get
        assert (store.counts().accounts, store.counts().items) == counted
    assert store.expire_accounts(9, 0, 1)
    store.commit()
    left = store._connection.execute("SELECT count(*) FROM items").get
    assert (store.counts().accounts, store.counts().items) == (2, left)


def test_counting_costs_the_same_however_much_is_stored() -> None:
    """In steps of the engine's machine."""
    connection = apsw.Connection(":memory:")
    store = MailboxStore(connection)
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    def cost() -> int:
        nonlocal steps
        steps = 0
        connection.set_progress_handler(step, 1)
        store.counts()
        connection.set_progress_handler(None)
        return steps

    empty = cost()
    for number in range(100):
        account = store.add_account(AccountKey(number.to_bytes(32, "big")), 1)
        for place in range(3):
            inbox = inbox_id(3 * number + place)
            store.add_inbox(account, inbox, InboxKind.LIVE, NEVER)
            store.add_item(account, inbox, deposit_id(1), bytes([place]) * 8, b"", 9)
    store.commit()
    assert (store.counts().accounts, store.counts().items) == (100, 300)
    assert 0 < empty == cost()


def test_two_tombstones_that_meet_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 2³² hashes a stranger can make two deposits whose tombstones have one place."""
    store = MailboxStore(apsw.Connection(":memory:"))
    account = store.add_account(KEY, 1)
    for number in range(2):
        name = deposit_id(number)
        store.add_item(account, inbox_id(1), name, name[8:], b"", 9)
    monkeypatch.setattr("provider.store._place", lambda _inbox, _deposit: 7)
    for number in range(2):
        assert store.bury(account, deposit_id(number)[8:], 9, 10)
    store.commit()
    tombstones = "SELECT tombstones, (SELECT count(*) FROM tombstones) FROM accounts"
    assert store.counts().items == 0
    assert store._connection.execute(tombstones).get == (1, 1)
    assert store.expire_tombstones(9, 10) == 1
    assert store._connection.execute(tombstones).get == (0, 0)
