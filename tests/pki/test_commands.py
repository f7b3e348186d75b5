"""`hushmill authority` and `hushmill directory` over files: exits and words."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hushmill.errors import ExitCode
from hushmill.parameters import Parameters
from pki import assemble_genesis, read_public, with_signatures, write_genesis
from pki.authority_folder import create_authority, install_network, sign_with_folder
from pki.commands import authority, directory
from tests.pki.documents import chain
from tests.pki.network import FIRST, parties, small_network

NETWORK = small_network(layers=1)
CHAIN = chain(NETWORK, 2)


def run(*words: object) -> Result:
    group = authority if words[0] in ("init", "check", "status") else directory
    return CliRunner().invoke(group, [str(word) for word in words])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_bytes(write_genesis(NETWORK.genesis))
    return path


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document"
    path.write_bytes(CHAIN[0][1])
    return path


def four_folders(root: Path) -> list[Path]:
    """Four authorities' folders with a signed network in each."""
    folders = [root / f"a{number}" for number in range(4)]
    publics = [create_authority(f, f.name, "127.0.0.1", 7000 + n) for n, f in enumerate(folders)]
    parameters = Parameters(suite="x25519", layers=1)
    genesis = assemble_genesis("made", parameters, publics, parties(1, 2)[1])
    signed = with_signatures(genesis, [sign_with_folder(folder, genesis) for folder in folders])
    for folder in folders:
        install_network(folder, write_genesis(signed))
    return folders


def test_init_makes_private_keys_and_a_public_file(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    made = run("init", folder, "--name", "a", "--host", "192.0.2.1", "--port", 7000, "--json")
    assert made.exit_code == 0, made.output
    for name in ("signing.key", "link.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    public = (folder / "authority-public.toml").read_bytes()
    assert read_public(public).host == "192.0.2.1"
    for name in ("signing.key", "link.key"):
        assert (folder / name).read_bytes() not in public
    again = run("init", folder, "--name", "a", "--host", "h", "--port", 7000)
    assert again.exit_code == ExitCode.CONFIGURATION


def test_two_inits_have_no_key_in_common(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("init", tmp_path / name, "--name", name, "--host", "h", "--port", 7000)
    for name in ("signing.key", "link.key"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_init_refuses_a_name_that_cannot_be(tmp_path: Path) -> None:
    made = run("init", tmp_path / "a", "--name", "A B", "--host", "h", "--port", 7000)
    assert made.exit_code == ExitCode.CONFIGURATION
    assert not (tmp_path / "a").exists()


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    folder, other = four_folders(tmp_path)[:2]
    assert run("check", folder).exit_code == 0
    settings = folder / "authority.toml"
    text = settings.read_text()
    settings.write_text(text + "colour = 1\n")
    wrong = run("check", folder)
    assert wrong.exit_code == ExitCode.CONFIGURATION
    assert "colour" in wrong.output
    settings.write_text(text.replace("7000", "7001"))
    assert run("check", folder).exit_code == ExitCode.CONFIGURATION
    settings.write_text(text)
    (folder / "signing.key").chmod(0o644)
    assert run("check", folder).exit_code == ExitCode.PERMISSION
    (folder / "signing.key").chmod(0o600)
    (folder / "link.key").write_bytes((other / "link.key").read_bytes())
    assert run("check", folder).exit_code == ExitCode.CONFIGURATION
    (folder / "network.toml").unlink()
    assert run("check", folder).exit_code == ExitCode.CONFIGURATION


def test_check_refuses_a_changed_network(tmp_path: Path) -> None:
    folder = four_folders(tmp_path)[0]
    path = folder / "network.toml"
    path.write_text(path.read_text().replace('network = "made"', 'network = "mine"'))
    assert run("check", folder).exit_code == ExitCode.SECURITY_STOP


def test_status_of_one_that_does_not_run(tmp_path: Path) -> None:
    said = run("status", tmp_path, "--json")
    assert said.exit_code == ExitCode.DAEMON_DOWN
    record = json.loads(said.stdout)
    assert (record["v"], record["ok"], record["exit"]) == (1, False, 4)


def test_show_prints_what_a_document_says(document: Path) -> None:
    shown = run("show", document, "--json")
    record = json.loads(shown.stdout)
    assert (record["verified"], record["epoch"], len(record["nodes"])) == (False, FIRST, 4)
    assert "Not verified" in run("show", document).stdout


def test_verify_of_an_expired_document(document: Path, network: Path) -> None:
    said = run("verify", document, "--network", network)
    assert said.exit_code == ExitCode.NO_CONSENSUS
    assert "expired" in said.output


def test_verify_of_a_forged_document(document: Path, network: Path) -> None:
    data = bytearray(document.read_bytes())
    data[-1] ^= 1
    document.write_bytes(data)
    said = run("verify", document, "--network", network, "--json")
    assert said.exit_code == ExitCode.SECURITY_STOP
    assert json.loads(said.stdout)["exit"] == ExitCode.SECURITY_STOP


def test_verify_of_a_missing_file(network: Path, tmp_path: Path) -> None:
    said = run("verify", tmp_path / "none", "--network", network)
    assert said.exit_code == ExitCode.NOT_FOUND


def test_a_static_mirror_serves_each_epoch(network: Path, tmp_path: Path) -> None:
    files = []
    for number, (_, data) in enumerate(CHAIN):
        files.append(tmp_path / f"d{number}")
        files[-1].write_bytes(data)
    mirror = tmp_path / "mirror"
    assert run("publish", mirror, *files, "--network", network).exit_code == 0
    assert (mirror / "latest").read_bytes() == CHAIN[1][1]
    out = tmp_path / "out"
    words = ("--network", network, "--from", mirror.as_uri(), "--output", out)
    assert run("fetch", *words, "--epoch", FIRST).exit_code == 0
    assert out.read_bytes() == CHAIN[0][1]
    expired = run("fetch", *words)  # the newest one is from long ago
    assert expired.exit_code == ExitCode.NO_CONSENSUS
    missing = run("fetch", *words, "--epoch", FIRST + 7)
    assert missing.exit_code == ExitCode.NO_CONSENSUS
    assert out.read_bytes() == CHAIN[0][1]


def test_fetch_takes_no_older_document_in_place_of_a_newer(network: Path, tmp_path: Path) -> None:
    document = tmp_path / "d"
    document.write_bytes(CHAIN[0][1])
    mirror = tmp_path / "mirror"
    run("publish", mirror, document, "--network", network)
    out = tmp_path / "out"
    out.write_bytes(CHAIN[1][1])
    words = ("--network", network, "--from", mirror.as_uri(), "--output", out)
    older = run("fetch", *words, "--epoch", FIRST)
    assert older.exit_code == ExitCode.NO_CONSENSUS
    assert out.read_bytes() == CHAIN[1][1]


def test_a_forging_mirror_is_a_security_stop(network: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "latest").write_bytes(b"junk")
    out = tmp_path / "out"
    words = ("--network", network, "--from", (tmp_path / "mirror").as_uri(), "--output", out)
    assert run("fetch", *words).exit_code == ExitCode.SECURITY_STOP
    assert not out.exists()


def test_fetch_asks_only_pinned_authorities(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("fetch", "--network", network, "--from", "192.0.2.9:80", "--output", out)
    assert said.exit_code == ExitCode.USAGE
    said = run("fetch", "--network", network, "--from", "ftp://192.0.2.9/", "--output", out)
    assert said.exit_code == ExitCode.USAGE
