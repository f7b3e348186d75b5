"""The authority's database: the record survives and never allows a second document."""

from pathlib import Path

import pytest

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch, NodeNumber
from pki.store import SIGNATURES_KEPT, AuthorityStore, newest_document

NETWORK = b"n" * 32
ONE, TWO = b"1" * 32, b"2" * 32


def test_signs_one_digest_an_epoch() -> None:
    store = AuthorityStore(":memory:", NETWORK)
    assert store.record(Epoch(5), ONE)
    assert store.record(Epoch(5), ONE)
    assert not store.record(Epoch(5), TWO)
    assert not store.record(Epoch(4), ONE)
    assert store.record(Epoch(6), TWO)


def test_record_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "authority.sqlite"
    store = AuthorityStore(path, NETWORK)
    assert store.record(Epoch(5), ONE)
    # The first connection is not closed, as after kill -9: its WAL is what a reader finds.
    again = AuthorityStore(path, NETWORK)
    assert not again.record(Epoch(5), TWO)
    assert again.newest_before(Epoch(6)) == (5, ONE)
    assert again.newest_before(Epoch(5)) is None


def test_commits_are_synchronous(tmp_path: Path) -> None:
    import apsw

    store = AuthorityStore(tmp_path / "a.sqlite", NETWORK)
    connection: apsw.Connection = store._connection
    assert connection.execute("PRAGMA synchronous").get == 2
    assert connection.execute("PRAGMA journal_mode").get == "wal"


def test_old_rows_go_and_stay_refused() -> None:
    store = AuthorityStore(":memory:", NETWORK)
    for epoch in range(SIGNATURES_KEPT + 1):
        assert store.record(Epoch(epoch), ONE)
    assert store.newest_before(Epoch(1)) is None
    assert not store.record(Epoch(0), TWO)


def test_keeps_the_newest_descriptors_and_documents() -> None:
    store = AuthorityStore(":memory:", NETWORK)
    store.keep_descriptor(NodeNumber(2), b"b")
    store.keep_descriptor(NodeNumber(1), b"a")
    store.keep_descriptor(NodeNumber(2), b"c")
    assert store.descriptors() == [b"a", b"c"]
    for epoch in range(9):
        store.keep_document(Epoch(epoch), str(epoch).encode())
    assert store.documents() == [str(epoch).encode() for epoch in range(1, 9)]


def test_refuses_another_networks_database(tmp_path: Path) -> None:
    AuthorityStore(tmp_path / "a.sqlite", NETWORK).close()
    with pytest.raises(UserError) as refused:
        AuthorityStore(tmp_path / "a.sqlite", b"m" * 32)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_refuses_a_damaged_database_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError) as refused:
        AuthorityStore(path, NETWORK)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP
    assert path.read_bytes().startswith(b"not a database")


def test_a_reader_finds_the_newest_document_while_the_authority_runs(tmp_path: Path) -> None:
    path = tmp_path / "authority.sqlite"
    assert newest_document(path, NETWORK) is None
    store = AuthorityStore(path, NETWORK)
    assert newest_document(path, NETWORK) is None
    store.keep_document(Epoch(5), b"five")
    store.keep_document(Epoch(7), b"seven")
    store.keep_document(Epoch(6), b"six")
    assert newest_document(path, NETWORK) == b"seven"
    with pytest.raises(UserError, match="another network"):
        newest_document(path, b"m" * 32)
    store.close()
    assert newest_document(path, NETWORK) == b"seven"
    (tmp_path / "noise").write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match="damaged"):
        newest_document(tmp_path / "noise", NETWORK)
