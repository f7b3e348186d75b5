"""The mailbox store under kill -9, and on a disk that is really full.

The store's process says each number once its deposit is committed; whatever it said must be there
afterwards. (A kill does not show a missing sync: `tests/provider/test_store.py` asks for that.)
"""

import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hushmill.identifiers import DepositId, InboxId
from provider import open_mailbox_store

PUTS = """
import sys
from pathlib import Path
from hushmill.identifiers import AccountKey, DepositId, InboxId
from provider import open_mailbox_store
from provider.store import InboxKind, NEVER
store = open_mailbox_store(Path(sys.argv[1]))
account = store.account_number(AccountKey(bytes(32))) or store.add_account(AccountKey(bytes(32)), 1)
first = int(sys.argv[2])
for number in range(first, first + 100_000):
    name = number.to_bytes(16, "big")
    store.add_item(account, InboxId(bytes(32)), DepositId(name), name[8:], bytes(3528), 1000)
    if number % 5 == 4:
        store.commit()
        print(number, flush=True)
"""


def test_4000_puts_and_kills_lose_no_acknowledged_one(tmp_path: Path) -> None:
    path = tmp_path / "mailboxes.db"
    acknowledged: list[int] = []
    first = 0
    while len(acknowledged) * 5 < 4000:
        command = [sys.executable, "-c", PUTS, str(path), str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(secrets.choice(range(40, 160))):
            acknowledged.append(int(process.stdout.readline()))
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait(10)
        process.stdout.close()
        first = (acknowledged[-1] // 1000 + 1) * 1000
    store = open_mailbox_store(path)
    try:
        assert store.is_sound()
        lost = [
            number
            for last in acknowledged
            for number in range(last - 4, last + 1)
            if not store.is_taken(InboxId(bytes(32)), DepositId(number.to_bytes(16, "big")))
        ]
    finally:
        store.close()
    assert lost == []


FULL = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
import tests.provider.harness as harness
from hushmill.drops import Drop
from provider import DiskReserve, open_mailbox_store
from provider.limits import RECOVERY_SECONDS

store = open_mailbox_store(folder / "mailboxes.db")
reserve = DiskReserve(folder)
provider = harness.ProviderInTime(store=store, reserve=reserve)
alice = harness.connected(provider)
inbox = alice.register(harness.inbox_id(1))
for number in range(1000):
    provider.deposit(inbox, harness.deposit_id(number))
    if number % 50 == 49:
        provider.run(0.1)
stored = provider.items()
assert stored == 1000 and not provider.core.is_full

# Another program fills the disk to the last byte.
with (folder / "other").open("wb", buffering=0) as other:
    try:
        while True:
            other.write(bytes(4096))
    except OSError:
        pass
for number in range(1000, 1200):
    provider.deposit(inbox, harness.deposit_id(number))
    provider.run(0.1)
assert provider.core.is_full
assert provider.drops[Drop.NO_ROOM] > 0
item = alice.fetch()
deleted = 0
while item is not None:
    item = alice.delete(item.handle).item
    assert not alice.is_cut_off()
    deleted += 1
assert deleted >= stored and provider.items() == 0
assert provider.core.is_full

(folder / "other").unlink()
provider.run(RECOVERY_SECONDS + 1)
assert not provider.core.is_full
provider.deposit(inbox, harness.deposit_id(5000))
assert len(alice.fetch_all()) == 1
print("recovered")
"""


def test_a_full_disk_lets_people_delete_and_ends_when_there_is_room(tmp_path: Path) -> None:
    """A tmpfs of 16 MiB, mounted where only this test's process sees it."""
    unshare = shutil.which("unshare")
    probe = [str(unshare), "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if unshare is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs of their own")
    mount = 'mount -t tmpfs -o size=16m none "$0" && exec "$1" -c "$2" "$0"'
    result = subprocess.run(
        [unshare, "-rm", "sh", "-c", mount, str(tmp_path), sys.executable, FULL],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "recovered\n"
