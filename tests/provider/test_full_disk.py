"""No room: deposits are refused and counted, people still delete, and it ends when room is back.

One disk is the shipped engine on a file system of a few pages (its VFS refuses a write beyond
them, with what the operating system would say); the other limit is the operator's own, in pages.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hushmill.drops import Drop
from hushmill.link import InboxOperation, WelcomeStatus
from provider import Limits
from provider.limits import RECOVERY_SECONDS
from provider.mailboxes import RECOVERY_PAGES
from provider.reserve import DiskReserve
from tests.provider.harness import Client, ProviderInTime, connected, deposit_id, inbox_id

PAGE = 4096


class SmallDisk(apsw.VFS):
    """The system's files, which together may not grow beyond `room` bytes."""

    def __init__(self, name: str, room: int) -> None:
        self.label = name
        self.room = room
        self.sizes: dict[str, int] = {}
        super().__init__(name, "")

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "SmallFile":
        return SmallFile(self, name, flags)

    def grow(self, path: str, end: int) -> None:
        size = max(self.sizes.get(path, 0), end)
        if sum(self.sizes.values()) - self.sizes.get(path, 0) + size > self.room:
            raise apsw.FullError("no space left on this small disk")
        self.sizes[path] = size


class SmallFile(apsw.VFSFile):
    def __init__(
        self, disk: SmallDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.grow(self._path, offset + len(data))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Quick: what a power cut does is not asked here."""

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._disk.sizes[self._path] = newsize


class SmallReserve:
    """Part of the small disk's room, set aside."""

    def __init__(self, disk: SmallDisk, size: int) -> None:
        self._disk = disk
        self._size = size
        self.held = True
        disk.room -= size

    def release(self) -> None:
        if self.held:
            self.held = False
            self._disk.room += self._size

    def is_held(self) -> bool:
        if not self.held and self._disk.room - sum(self._disk.sizes.values()) >= 2 * self._size:
            self.held = True
            self._disk.room -= self._size
        return self.held


@pytest.fixture
def small_disk(request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    disk = SmallDisk(f"small-{request.node.name}", 600 << 10)
    yield disk
    disk.unregister()


def is_full(provider: ProviderInTime) -> bool:
    return provider.core.is_full


def fill(provider: ProviderInTime, together: int = 1) -> int:
    """Deposits until one is refused for want of room; how many were tried."""
    for number in range(10_000):
        provider.deposit(inbox_id(1), deposit_id(1000 + number), provider.body(b"mail"))
        if number % together == 0:
            provider.run(0.06)
        if provider.drops[Drop.NO_ROOM]:
            return number + 1
    raise AssertionError("it never filled up")


def on_small_disk(disk: SmallDisk, path: Path) -> ProviderInTime:
    connection = apsw.Connection(str(path / "mailboxes.db"), vfs=disk.label)
    connection.execute("PRAGMA wal_autocheckpoint=10")  # the log is as small as the disk
    reserve = SmallReserve(disk, 256 << 10)
    return ProviderInTime(connection, reserve=reserve)


def test_a_full_disk_refuses_deposits_visibly_and_keeps_all_it_acknowledged(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    provider = on_small_disk(small_disk, tmp_path)
    alice = connected(provider)
    alice.register(inbox_id(1))
    tried = fill(provider)
    assert is_full(provider)
    stored = provider.items()
    assert tried - 3 <= stored <= tried
    provider.deposit(inbox_id(1), deposit_id(5), provider.body(b"more"))
    provider.run(0.1)
    assert provider.items() == stored
    assert Client(provider, "late").connect() is WelcomeStatus.FULL
    assert len(alice.fetch_all()) == stored


def test_with_a_full_disk_people_still_delete_and_room_ends_it(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    provider = on_small_disk(small_disk, tmp_path)
    alice = connected(provider)
    alice.register(inbox_id(1))
    fill(provider)
    refused = provider.drops[Drop.NO_ROOM]
    item = alice.fetch()
    while item is not None:
        item = alice.delete(item.handle).item
    assert not alice.is_cut_off()
    assert provider.items() == 0
    small_disk.room += 4 << 20
    provider.run(RECOVERY_SECONDS + 1.0)
    assert not is_full(provider)
    provider.deposit(inbox_id(1), deposit_id(5), provider.body(b"again"))
    assert len(alice.fetch_all()) == 1
    assert provider.drops[Drop.NO_ROOM] == refused


def test_without_any_room_whoever_asked_is_cut_off_and_not_told_that_it_was_done(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    provider = on_small_disk(small_disk, tmp_path)
    alice, bob = connected(provider), connected(provider, "bob")
    alice.register(inbox_id(1))
    fill(provider)
    small_disk.room = 0
    small_disk.sizes.clear()
    item = alice.fetch()
    assert item is not None, "reading needs no room"
    alice.answers()
    alice.send(alice.control(handles=(item.handle,)))
    bob.answers()
    bob.send()
    provider.run(0.1)
    assert alice.is_cut_off()
    assert not alice.answers()
    assert len(bob.answers()) == 1, "who asked for nothing is answered"
    small_disk.room = 16 << 20
    alice.connect()
    alice.delete(item.handle)
    assert not alice.is_cut_off()
    assert item.handle not in {other.handle for other in alice.fetch_all()}


def test_a_registration_in_the_batch_of_a_refused_deposit_is_kept(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    provider = on_small_disk(small_disk, tmp_path)
    alice = connected(provider)
    alice.register(inbox_id(1))
    number = 0
    while not is_full(provider):
        number += 1
        alice.send(alice.control(InboxOperation.REGISTER_INVITATION, inbox_id(2), 24))
        alice.send(alice.control(InboxOperation.REMOVE, inbox_id(2)))
        invitation = inbox_id(10_000 + number)
        alice.send(alice.control(InboxOperation.REGISTER_INVITATION, invitation, 24))
        alice.send(alice.control(InboxOperation.REMOVE, inbox_id(10_000 + number - 1)))
        provider.deposit(inbox_id(1), deposit_id(number), provider.body(b"mail"))
        provider.run(0.06)
        assert not alice.is_cut_off()
    inbox = provider.store.inbox(invitation)
    assert inbox is not None


def test_the_operators_limit_in_pages_works_alike_and_deletion_ends_it() -> None:
    provider = ProviderInTime(limits=Limits(items_per_account=20_000), max_pages=1040)
    alice = connected(provider)
    alice.register(inbox_id(1))
    fill(provider, together=50)
    assert is_full(provider)
    items = alice.fetch_all()
    for start in range(0, len(items), 8):
        alice.delete(*(item.handle for item in items[start : start + 8]))
        assert not alice.is_cut_off()
    assert provider.items() == 0
    assert provider.store.free_pages() >= RECOVERY_PAGES
    provider.run(RECOVERY_SECONDS + 1.0)
    assert not is_full(provider)
    provider.deposit(inbox_id(1), deposit_id(5), provider.body(b"again"))
    assert len(alice.fetch_all()) == 1


def test_other_errors_of_the_disk_are_not_taken_for_a_full_one(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "mailboxes.db"))
    provider = ProviderInTime(connection)
    connection.execute("PRAGMA query_only=ON")
    with pytest.raises(apsw.ReadOnlyError):
        connected(provider)


def test_the_reserve_is_taken_given_and_taken_back(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path, 1 << 16, watermark_bytes=0)
    file = tmp_path / "reserve"
    assert file.stat().st_size == 1 << 16
    assert file.stat().st_blocks * 512 >= 1 << 16, "promised by the file system, not sparse"
    reserve.release()
    reserve.release()
    assert not file.exists()
    assert reserve.is_held()
    assert file.exists()


def test_below_the_watermark_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(tmp_path)

    def disk_with(free_bytes: int) -> None:
        fields = list(real)
        fields[4] = free_bytes // real.f_frsize  # f_bavail
        disk = os.statvfs_result(fields)
        monkeypatch.setattr("provider.reserve.os.statvfs", lambda _path: disk)

    disk_with(1 << 20)
    reserve = DiskReserve(tmp_path, 1 << 16, watermark_bytes=1 << 20)
    assert not (tmp_path / "reserve").exists(), "no room for both"
    disk_with(2 << 20)
    assert reserve.is_held()
    assert (tmp_path / "reserve").exists()
    disk_with(1 << 20)
    assert reserve.is_held()
    disk_with((1 << 20) - 4096)
    assert not reserve.is_held()
