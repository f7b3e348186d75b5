"""A provider whose disk another program fills. Spec: docs/spec/mailbox.md (No room)."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hushmill.identifiers import DepositId, InboxId
from hushmill.link import InboxOperation, MailHandle
from hushmill.runtime import now
from provider.status_file import STATUS_SECONDS, read_mailbox_status
from tests.processes.link_loop import running_loop
from tests.processes.provider_network import Person, ProviderNetwork


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose `provider` is a disk of 16 MiB."""
    disk = tmp_path / "provider"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounts are not permitted here")
    yield tmp_path
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    with (disk / "another-program").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_goes_on_without_any_room_says_so_and_lets_people_delete(small_disk: Path) -> None:
    inbox = InboxId(secrets.token_bytes(32))
    with running_loop() as loop:
        network = ProviderNetwork(small_disk, loop)
        network.play_first()
        alice = Person(network)

        def deposit(number: int) -> None:
            name = DepositId(number.to_bytes(16, "big"))
            network.last_mix().link.send([network.deposit_frame(inbox, name, b"mail")])
            loop.run_for(0.4)

        def fetch(frames: int) -> dict[DepositId, MailHandle]:
            mails = alice.ask(*(alice.frame() for _ in range(frames)))
            return {mail.item.deposit: mail.item.handle for mail in mails if mail.item is not None}

        with network.running() as process:
            alice.connect()
            alice.ask(alice.frame(operation=InboxOperation.REGISTER_LIVE, inbox=inbox))
            for number in range(3):
                deposit(number)
            items = fetch(6)
            assert len(items) == 3
            fill(network.folder)
            filled_at = int(now())
            alice.ask(alice.frame())
            loop.run_for(STATUS_SECONDS + 1.0)
            assert process.poll() is None
            status = read_mailbox_status(network.folder)
            assert status is not None
            assert status.is_full
            assert status.written_at > filled_at
            command = ["hushmill", "provider", "status", str(network.folder), "--json"]
            said = subprocess.run(
                [sys.executable, "-m", *command], capture_output=True, text=True, check=True
            )
            assert json.loads(said.stdout)["mailboxes"]["full"] is True
            deposit(3)
            assert fetch(4) == {}
            for handle in items.values():
                alice.ask(alice.frame(handle))
            alice.connect()
            assert fetch(4) == {}
            assert not alice.owner.downs
            assert process.poll() is None
        assert process.returncode == 0
        alice.leave()
