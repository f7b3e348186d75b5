"""What a tick does to the disk tells nobody whether real mail came: see docs/spec/mailbox.md
(Answering). The engine's own calls are watched."""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import apsw
import pytest

from hushmill.link import InboxOperation, Mail, MailHandle
from tests.provider.harness import Client, ProviderInTime, connected, deposit_id, inbox_id


class WatchedDisk(apsw.VFS):
    """Notes every write and sync, by file."""

    def __init__(self, name: str) -> None:
        self.label = name
        self.calls: list[str] = []
        super().__init__(name, "")

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return WatchedFile(self, name, flags)


class WatchedFile(apsw.VFSFile):
    def __init__(
        self, disk: WatchedDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._kind = "log" if path.endswith("-wal") else "database"
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.calls.append(f"write {self._kind}")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.calls.append(f"sync {self._kind}")
        super().xSync(flags)


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[WatchedDisk]:
    disk = WatchedDisk(f"watched-{request.node.name}")
    yield disk
    disk.unregister()


class Scene:
    """Alice watches the times of her answers; bob may get or ask for something meanwhile."""

    def __init__(self, disk: WatchedDisk, path: Path) -> None:
        connection = apsw.Connection(str(path / "mailboxes.db"), vfs=disk.label)
        self.provider = ProviderInTime(connection)
        self.alice, self.bob = connected(self.provider), connected(self.provider, "bob")
        self.bob.register(inbox_id(1))
        self.provider.deposit(inbox_id(1), deposit_id(1))
        item = self.bob.fetch()
        assert item is not None
        self.handle: MailHandle = item.handle
        self._disk = disk

    def tick(self, event: Callable[["Scene"], None]) -> list[str]:
        """The calls of the tick that answers alice, with how many times in a row left out."""
        self.provider.run(1.0)
        self.alice.answers()
        self._disk.calls.clear()
        self.alice.send()
        event(self)
        assert self._disk.calls == [], "before the tick nothing is written"
        self.provider.run(0.1)
        (mail,) = self.alice.answers()
        assert isinstance(mail, Mail)
        return [call for call, _ in groupby(self._disk.calls)]


def cover(scene: Scene) -> None:
    scene.provider.deposit(inbox_id(404), deposit_id(2))


def mail(scene: Scene) -> None:
    scene.provider.deposit(inbox_id(1), deposit_id(2))


def duplicate(scene: Scene) -> None:
    scene.provider.deposit(inbox_id(1), deposit_id(1))


def poll(scene: Scene) -> None:
    scene.bob.send()


def registration(scene: Scene) -> None:
    scene.bob.send(scene.bob.control(InboxOperation.REGISTER_LIVE, inbox_id(2)))


def deletion(scene: Scene) -> None:
    scene.bob.send(scene.bob.control(handles=(scene.handle,)))


@pytest.mark.parametrize("event", [cover, mail, duplicate, poll, registration, deletion])
def test_every_tick_that_answers_writes_and_syncs_the_log_once(
    disk: WatchedDisk, tmp_path: Path, event: Callable[[Scene], None]
) -> None:
    scene = Scene(disk, tmp_path)
    assert scene.tick(lambda _scene: None) == ["write log", "sync log"]
    assert scene.tick(event) == ["write log", "sync log"]


def test_a_welcome_waits_for_a_sync_whether_the_account_is_new_or_not(
    disk: WatchedDisk, tmp_path: Path
) -> None:
    provider = Scene(disk, tmp_path).provider
    carol = Client(provider, "carol")
    traces = []
    for _ in range(2):
        provider.run(1.0)
        disk.calls.clear()
        carol.connect()
        traces.append([call for call, _ in groupby(disk.calls)])
    assert traces == [["write log", "sync log"]] * 2


def test_a_tick_that_owes_nobody_an_answer_writes_nothing(
    disk: WatchedDisk, tmp_path: Path
) -> None:
    scene = Scene(disk, tmp_path)
    scene.provider.run(1.0)
    disk.calls.clear()
    cover(scene)
    scene.provider.run(10.0)
    assert disk.calls == []
