"""The status file outlives a full disk. /dev/full is one, for those who write to it."""

from pathlib import Path

from hushmill.runtime import now
from provider.status_file import (
    STATUS_FILE,
    MailboxStatus,
    read_mailbox_status,
    write_mailbox_status,
)


def status(is_full: bool, accounts: int = 1000) -> MailboxStatus:
    return MailboxStatus(
        written_at=int(now()), is_full=is_full, accounts=accounts, sessions=0, items=0
    )


def disk_takes_no_new_file(folder: Path) -> None:
    (folder / f"{STATUS_FILE}.new").symlink_to("/dev/full")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    said = status(is_full=False)
    assert write_mailbox_status(tmp_path, said)
    assert read_mailbox_status(tmp_path) == said
    assert [file.name for file in tmp_path.iterdir()] == [STATUS_FILE]


def test_on_a_full_disk_it_still_says_full_in_the_place_that_it_has(tmp_path: Path) -> None:
    assert write_mailbox_status(tmp_path, status(is_full=False))
    for accounts in (1000, 50, 100_000):
        disk_takes_no_new_file(tmp_path)
        said = status(is_full=True, accounts=accounts)
        assert write_mailbox_status(tmp_path, said)
        assert read_mailbox_status(tmp_path) == said
    assert [file.name for file in tmp_path.iterdir()] == [STATUS_FILE]


def test_where_nothing_can_be_written_the_last_one_stays_and_nothing_is_raised(
    tmp_path: Path,
) -> None:
    disk_takes_no_new_file(tmp_path)
    assert not write_mailbox_status(tmp_path, status(is_full=True)), "there was none to write over"
    assert read_mailbox_status(tmp_path) is None
    assert write_mailbox_status(tmp_path, status(is_full=False)), "the next one can be written"
