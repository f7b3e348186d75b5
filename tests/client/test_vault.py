import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from client import create_vault, open_vault, store_vault
from client.store_vault import _Header, header_path, unfinished_path
from hushmill.crypto import PASSWORD_MEMORY_KIB, PASSWORD_PASSES, Label, digest
from hushmill.errors import ExitCode, UserError

PASSPHRASE = "five random words are enough"
CANARY = "canary58f1c0d7"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    connection = create_vault(path, PASSPHRASE)
    connection.execute("CREATE TABLE canary58f1c0d7 (body)")
    for number in range(200):
        connection.execute("INSERT INTO canary58f1c0d7 VALUES (?)", (f"{CANARY} {number}" * 20,))
    connection.close()
    return path


@pytest.fixture
def vault(tmp_path: Path, template: Path) -> Path:
    """A closed store of some pages, with a canary in its rows and in a table's name."""
    for file in template.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / template.name


@pytest.fixture(scope="module")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vault") / "store.db"
    create_vault(path, PASSPHRASE).close()
    return path


def snapshot(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}


def exit_of(path: Path, passphrase: str | None = PASSPHRASE) -> ExitCode:
    """The refusal's code; whatever it is, no file may change by it. (SQLite's own empty log and
    its index may appear.)"""
    before = snapshot(path)
    with pytest.raises(UserError) as caught:
        open_vault(path, passphrase)
    after = snapshot(path)
    assert {name: after.pop(name) for name in before} == before
    assert all(name.endswith("-shm") or data == b"" for name, data in after.items())
    return caught.value.exit_code


def test_keeps_what_was_written(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    assert connection.execute("SELECT count(*) FROM canary58f1c0d7").fetchall() == [(200,)]
    connection.close()


def test_is_durable_and_forgetful(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchall()[0][0]
        for name in ("journal_mode", "synchronous", "secure_delete", "temp_store", "cipher")
    }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "temp_store": 2,
        "cipher": "chacha20",
    }
    connection.close()


def test_shows_no_canary_in_any_file_open_or_closed(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    connection.execute("INSERT INTO canary58f1c0d7 VALUES (?)", (CANARY,))
    files = snapshot(vault)
    assert f"{vault.name}-wal" in files
    for data in files.values():
        assert CANARY.encode() not in data
        assert b"SQLite format" not in data
        assert PASSPHRASE.encode() not in data
    connection.close()


def test_a_deleted_row_is_gone_from_the_pages(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    connection.execute("DELETE FROM canary58f1c0d7 WHERE rowid > 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # A copy without the encryption, in which the row that stays is to be seen.
    pages = connection.serialize("main")
    assert f"{CANARY} 0".encode() in pages
    assert f"{CANARY} 7".encode() not in pages
    connection.close()


def test_files_are_their_owners_alone(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    connection.execute("INSERT INTO canary58f1c0d7 VALUES (1)")
    assert len(snapshot(vault)) == 4
    assert {file.stat().st_mode & 0o777 for file in vault.parent.iterdir()} == {0o600}
    connection.close()


def test_two_stores_of_one_passphrase_share_no_key(tmp_path: Path) -> None:
    headers = set()
    for name in ("one.db", "two.db"):
        create_vault(tmp_path / name, PASSPHRASE).close()
        headers.add(header_path(tmp_path / name).read_bytes())
    assert len(headers) == 2
    (tmp_path / "one.db").write_bytes((tmp_path / "two.db").read_bytes())
    assert exit_of(tmp_path / "one.db") is ExitCode.SECURITY_STOP


@pytest.mark.parametrize(
    "passphrase", ["wrong", PASSPHRASE + " ", PASSPHRASE.upper(), "x" * 10_000]
)
def test_a_wrong_passphrase_is_locked(shared_vault: Path, passphrase: str) -> None:
    assert exit_of(shared_vault, passphrase) is ExitCode.LOCKED


@pytest.mark.parametrize("passphrase", [None, ""])
def test_no_passphrase_is_a_configuration_matter(
    shared_vault: Path, tmp_path: Path, passphrase: str | None
) -> None:
    assert exit_of(shared_vault, passphrase) is ExitCode.CONFIGURATION
    with pytest.raises(UserError) as caught:
        create_vault(tmp_path / "store.db", passphrase)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert list(tmp_path.iterdir()) == []


def test_no_store_is_a_configuration_matter(tmp_path: Path) -> None:
    assert exit_of(tmp_path / "store.db") is ExitCode.CONFIGURATION
    assert list(tmp_path.iterdir()) == []


def test_creates_nothing_over_a_store_or_a_part_of_one(vault: Path) -> None:
    before = snapshot(vault)
    for missing in (None, vault, header_path(vault)):
        if missing is not None:
            missing.rename(vault.parent / "aside")
        with pytest.raises(UserError) as caught:
            create_vault(vault, PASSPHRASE)
        assert caught.value.exit_code is ExitCode.CONFIGURATION
        if missing is not None:
            (vault.parent / "aside").rename(missing)
    assert snapshot(vault) == before


class CutError(Exception):
    """The power goes."""


@pytest.mark.parametrize("step", range(8))
def test_a_store_whose_making_was_interrupted_anywhere_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Before each change of the folder: of a file's name, or of its bytes."""
    path, steps = tmp_path / "store.db", iter(range(100))

    def before(function: Callable[..., Any]) -> Callable[..., Any]:
        def cut(*arguments: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise CutError
            return function(*arguments, **named)

        return cut

    with monkeypatch.context() as patched:
        for name in ("_write_new", "_connect", "_settle", "_sync_folder"):
            patched.setattr(store_vault, name, before(getattr(store_vault, name)))
        patched.setattr(Path, "rename", before(Path.rename))
        with suppress(CutError):
            create_vault(path, "of the interrupted one").close()
    if path.exists():  # the last step was made
        open_vault(path, "of the interrupted one").close()
    else:
        create_vault(path, PASSPHRASE).close()
        open_vault(path, PASSPHRASE).close()
        assert sorted(snapshot(path)) == ["store.db", "store.db.header"]


def test_replaces_no_store_because_of_an_unfinished_one_beside_it(vault: Path) -> None:
    unfinished_path(vault).write_bytes(b"left over")
    before = snapshot(vault)
    with pytest.raises(UserError):
        create_vault(vault, PASSPHRASE)
    assert snapshot(vault) == before
    unfinished_path(vault).unlink()
    vault.rename(vault.parent / "aside")
    with pytest.raises(UserError):
        create_vault(vault, PASSPHRASE)


def test_leaves_no_log_behind(vault: Path) -> None:
    """Neither when it is closed, nor after a crash from the moment in which it is opened again."""
    connection = open_vault(vault, PASSPHRASE)
    connection.execute("INSERT INTO canary58f1c0d7 VALUES (1)")
    crashed = snapshot(vault)
    connection.close()
    assert sorted(snapshot(vault)) == ["store.db", "store.db.header"]
    for name, data in crashed.items():
        (vault.parent / name).write_bytes(data)
    (vault.parent / f"{vault.name}-shm").unlink()
    log = vault.parent / f"{vault.name}-wal"
    assert log.stat().st_size > 0
    connection = open_vault(vault, PASSPHRASE)
    assert log.stat().st_size == 0
    assert connection.execute("SELECT count(*) FROM canary58f1c0d7").get == 201
    connection.close()


def changed_pages(data: bytes) -> Iterator[bytes]:
    """One byte changed in each region of each page, and a page exchanged for another."""
    page = 4096
    for start in range(0, len(data), page):
        for offset in (0, 24, 100, 2048, page - 33, page - 1):
            yield (
                data[: start + offset]
                + bytes((data[start + offset] ^ 1,))
                + data[start + offset + 1 :]
            )
    yield data[:page] + data[2 * page : 3 * page] + data[page : 2 * page] + data[3 * page :]


def test_a_change_in_any_page_is_a_security_stop(vault: Path) -> None:
    data = vault.read_bytes()
    key_is_slow = _Header.decode(header_path(vault).read_bytes())
    assert key_is_slow.passes == PASSWORD_PASSES
    changes = list(changed_pages(data))
    for change in changes[:: max(1, len(changes) // 10)]:
        vault.write_bytes(change)
        assert exit_of(vault) is ExitCode.SECURITY_STOP
    vault.write_bytes(data)
    open_vault(vault, PASSPHRASE).close()


@pytest.mark.parametrize("keep", [0, 1, 16, 100, 4095, 4096, 8192, -4096, -1])
def test_a_cut_file_is_a_security_stop(vault: Path, keep: int) -> None:
    vault.write_bytes(vault.read_bytes()[:keep])
    assert exit_of(vault) is ExitCode.SECURITY_STOP


@pytest.mark.parametrize("garbage", [b"\0" * 8192, b"SQLite format 3\0" + bytes(8176), b"x" * 5000])
def test_garbage_is_a_security_stop(vault: Path, garbage: bytes) -> None:
    vault.write_bytes(garbage)
    assert exit_of(vault) is ExitCode.SECURITY_STOP


def test_a_plain_database_in_its_place_is_a_security_stop(vault: Path) -> None:
    vault.unlink()
    plain = apsw.Connection(str(vault))
    plain.execute("CREATE TABLE t (a)")
    plain.close()
    assert exit_of(vault) is ExitCode.SECURITY_STOP


def test_damage_beside_an_unfinished_log_changes_neither(vault: Path) -> None:
    connection = open_vault(vault, PASSPHRASE)
    connection.execute("INSERT INTO canary58f1c0d7 VALUES (1)")
    files = snapshot(vault)
    connection.close()
    for name, data in files.items():
        (vault.parent / name).write_bytes(data)
    (vault.parent / f"{vault.name}-shm").unlink()  # as after a crash: the log is read anew
    data = vault.read_bytes()
    vault.write_bytes(data[:9000] + bytes((data[9000] ^ 1,)) + data[9001:])
    log = vault.parent / f"{vault.name}-wal"
    before = vault.read_bytes(), log.read_bytes()
    with pytest.raises(UserError) as caught:
        open_vault(vault, PASSPHRASE)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP
    assert (vault.read_bytes(), log.read_bytes()) == before


@pytest.mark.parametrize("which", ["database", "header"])
def test_a_missing_half_is_a_security_stop(vault: Path, which: str) -> None:
    (vault if which == "database" else header_path(vault)).unlink()
    assert exit_of(vault) is ExitCode.SECURITY_STOP


def test_a_change_of_any_byte_of_the_header_is_a_security_stop(shared_vault: Path) -> None:
    path = header_path(shared_vault)
    data = path.read_bytes()
    try:
        for index in range(len(data)):
            path.write_bytes(data[:index] + bytes((data[index] ^ 1,)) + data[index + 1 :])
            assert exit_of(shared_vault) is ExitCode.SECURITY_STOP
        for other in (b"", data[:-1], data + b"\0"):
            path.write_bytes(other)
            assert exit_of(shared_vault) is ExitCode.SECURITY_STOP
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("memory_kib", "passes"),
    [
        (PASSWORD_MEMORY_KIB - 1, PASSWORD_PASSES),
        (PASSWORD_MEMORY_KIB, PASSWORD_PASSES - 1),
        (8, 1),
        (2**32 - 1, PASSWORD_PASSES),
        (PASSWORD_MEMORY_KIB, 2**32 - 1),
    ],
)
def test_weaker_or_boundless_parameters_are_refused_before_any_work(
    shared_vault: Path, memory_kib: int, passes: int
) -> None:
    """Even with a checksum that fits: who changes a header can compute that."""
    path = header_path(shared_vault)
    data = path.read_bytes()
    body = data[:9] + memory_kib.to_bytes(4, "big") + passes.to_bytes(4, "big") + data[17:-32]
    path.write_bytes(body + digest(Label.VAULT_HEADER, body))
    try:
        assert exit_of(shared_vault) is ExitCode.SECURITY_STOP
    finally:
        path.write_bytes(data)


def test_a_higher_cost_is_kept(tmp_path: Path, shared_vault: Path) -> None:
    """Another cost gives another key: the header's own is what opens a store."""
    path = header_path(shared_vault)
    data = path.read_bytes()
    body = data[:13] + (PASSWORD_PASSES + 1).to_bytes(4, "big") + data[17:-32]
    path.write_bytes(body + digest(Label.VAULT_HEADER, body))
    try:
        assert exit_of(shared_vault) is ExitCode.LOCKED
    finally:
        path.write_bytes(data)


def test_one_passphrase_from_two_keyboards_is_one(tmp_path: Path) -> None:
    create_vault(tmp_path / "store.db", "gr\u00fc\u00dfe aus k\u00f6ln").close()
    open_vault(tmp_path / "store.db", "gru\u0308\u00dfe aus ko\u0308ln").close()


def test_a_newer_format_says_so(shared_vault: Path) -> None:
    path = header_path(shared_vault)
    data = path.read_bytes()
    body = data[:8] + b"\2" + data[9:-32]
    path.write_bytes(body + digest(Label.VAULT_HEADER, body))
    try:
        assert exit_of(shared_vault) is ExitCode.CONFIGURATION
    finally:
        path.write_bytes(data)
