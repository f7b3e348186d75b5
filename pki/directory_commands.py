"""`hushmill directory fetch|show|verify|publish`: signed documents as files."""

from collections.abc import Callable
from pathlib import Path

import click

from hushmill import codec
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.identifiers import Epoch
from hushmill.link import NEWEST, DirectoryMessage, DocumentFound, FetchDocument
from hushmill.runtime import HushmillGroup, Output, atomic_write, now, pass_output
from pki.consensus import (
    DOCUMENT_BYTES_LIMIT,
    Consensus,
    ConsensusBody,
    SignedConsensus,
    consensus_digest,
    open_signed,
)
from pki.epochs import epoch_at, last_served, next_epoch
from pki.genesis import Genesis, GenesisAuthority

_FILE = click.Path(path_type=Path, dir_okay=False)
_network_option = click.option(
    "--network", "network", required=True, type=_FILE, help="The network's network.toml."
)


@click.group(cls=HushmillGroup)
def directory() -> None:
    """The signed directory, as files."""


@directory.command()
@_network_option
@click.option("--from", "source", help="A mirror's URL, or HOST:PORT of an authority.")
@click.option("--epoch", type=click.IntRange(1, 0xFFFFFFFF), help="Of one epoch, not the newest.")
@click.option("--output", "path", required=True, type=_FILE, help="Where to write it.")
@pass_output
def fetch(output: Output, network: Path, source: str | None, epoch: int | None, path: Path) -> None:
    """Get a document from the authorities or a mirror, verify it, write it to a file."""
    genesis = _genesis(network)
    data = _fetch(genesis, source, None if epoch is None else Epoch(epoch))
    consensus, signers = _verified(genesis, data)
    _refuse_older(genesis, path, consensus)
    if epoch is None:
        _refuse_expired(genesis, consensus)
    atomic_write(path, data, 0o644)
    output.result(
        _record(genesis, consensus, signers),
        human=f"Wrote the document of epoch {consensus.epoch} to {path}.",
    )


@directory.command()
@click.argument("file", type=_FILE)
@pass_output
def show(output: Output, file: Path) -> None:
    """Print what a document says, without verifying it."""
    try:
        signed = codec.decode(_read(file), SignedConsensus, DOCUMENT_BYTES_LIMIT)
        body = codec.decode(signed.body, ConsensusBody, DOCUMENT_BYTES_LIMIT)
    except PeerError as error:
        raise UserError(f"{file} is not a directory document.", ExitCode.SECURITY_STOP) from error
    nodes = [
        {
            "number": entry.number,
            "role": entry.role,
            "operator": entry.operator,
            "layer": entry.layer,
            "address": f"{entry.host}:{entry.port}",
            "key_epochs": [key.epoch for key in entry.keys],
        }
        for entry in body.nodes
    ]
    lines = [
        f"Not verified (see `hushmill directory verify`). Epoch {body.epoch}, "
        f"{len(signed.shares)} signatures, {len(nodes)} nodes:"
    ]
    for entry in body.nodes:
        place = f"layer {entry.layer}" if entry.role == "mix" else "provider"
        lines.append(f"  {entry.number:5}  {place:10}  {entry.operator}  {entry.host}:{entry.port}")
    output.result(
        {
            "verified": False,
            "epoch": body.epoch,
            "previous_epoch": body.previous_epoch,
            "previous": body.previous.hex(),
            "digest": consensus_digest(signed.body).hex(),
            "nodes": nodes,
        },
        human="\n".join(lines),
    )


@directory.command()
@click.argument("file", type=_FILE)
@_network_option
@pass_output
def verify(output: Output, file: Path, network: Path) -> None:
    """Say who signed a document; exit 6 if it is forged, 5 if it has expired."""
    genesis = _genesis(network)
    consensus, signers = _verified(genesis, _read(file))
    _refuse_expired(genesis, consensus)
    names = ", ".join(genesis.authorities[number].name for number in signers)
    output.result(
        _record(genesis, consensus, signers),
        human=f"Valid for network {genesis.network}, epoch {consensus.epoch}. Signed by {names}.",
    )


@directory.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("files", nargs=-1, type=_FILE)
@_network_option
@click.option("--from", "source", help="A mirror's URL, or HOST:PORT of an authority.")
@pass_output
def publish(
    output: Output, folder: Path, files: tuple[Path, ...], network: Path, source: str | None
) -> None:
    """Write a static mirror of FILES, or of the newest document, into FOLDER."""
    from pki.mirror import write_mirror

    genesis = _genesis(network)
    given = [_read(file) for file in files] or [_fetch(genesis, source, None)]
    documents = {_verified(genesis, data)[0].epoch: data for data in given}
    latest = write_mirror(folder, documents)
    epochs = sorted(documents)
    output.result(
        {"ok": True, "latest": str(latest), "epochs": epochs},
        human=f"Wrote {len(epochs)} document(s) to {folder}. Serve this folder as plain files.",
    )


def _fetch(genesis: Genesis, source: str | None, epoch: Epoch | None) -> bytes:
    if source is not None and "://" in source:
        from pki.mirror import read_mirror

        return read_mirror(source, epoch)
    authorities = list(genesis.authorities) if source is None else [_named(genesis, source)]
    answers: list[DirectoryMessage | None] = []
    _ask(authorities, FetchDocument(NEWEST if epoch is None else epoch), answers.append)
    answer = answers[0] if answers else None
    if isinstance(answer, DocumentFound):
        return answer.data
    raise UserError(
        "No authority gave a document. Check your connection, or try a mirror with --from URL.",
        ExitCode.NO_CONSENSUS,
    )


def _ask(
    authorities: list[GenesisAuthority],
    question: DirectoryMessage,
    on_answer: Callable[[DirectoryMessage | None], None],
) -> None:
    """Runs the reactor until the answer is there."""
    from hushmill.runtime import Reactor, run_service
    from pki.service import ask_any

    def start(reactor: Reactor) -> None:
        def answered(answer: DirectoryMessage | None) -> None:
            on_answer(answer)
            reactor.stop()

        ask_any(reactor, authorities, question, answered)

    run_service(start)


def _named(genesis: Genesis, address: str) -> GenesisAuthority:
    """Only an authority of the genesis can be asked: its key is pinned there."""
    for authority in genesis.authorities:
        if f"{authority.host}:{authority.port}" == address:
            return authority
    raise UserError(
        f"{address} is not an authority of network {genesis.network}. "
        "Name one of its authorities as HOST:PORT, or a mirror as https://…",
        ExitCode.USAGE,
    )


def _genesis(path: Path) -> Genesis:
    from pki.authority_folder import read_network

    return read_network(path)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(DOCUMENT_BYTES_LIMIT + 1)
    except OSError as error:
        raise UserError(f"{file} cannot be read.", ExitCode.NOT_FOUND) from error


def _verified(genesis: Genesis, data: bytes) -> tuple[Consensus, tuple[int, ...]]:
    try:
        return open_signed(genesis, data)
    except PeerError as error:
        raise UserError(
            f"This is not a document that the authorities of network {genesis.network} signed: "
            "do not use it.",
            ExitCode.SECURITY_STOP,
        ) from error


def _refuse_expired(genesis: Genesis, consensus: Consensus) -> None:
    epoch = epoch_at(now(), genesis.parameters)
    if epoch > last_served(consensus.epoch):
        raise UserError(
            f"The document of epoch {consensus.epoch} has expired; it is epoch {epoch} now. "
            "Fetch a newer one.",
            ExitCode.NO_CONSENSUS,
        )
    if consensus.epoch > next_epoch(epoch):
        raise UserError(
            f"The document is of epoch {consensus.epoch}, but this machine's clock says epoch "
            f"{epoch}. Set the clock.",
            ExitCode.NO_CONSENSUS,
        )


def _refuse_older(genesis: Genesis, path: Path, consensus: Consensus) -> None:
    """A fetched document never replaces a newer one at the same path."""
    try:
        held = open_signed(genesis, path.read_bytes())[0]
    except (OSError, PeerError):
        return
    if consensus.epoch < held.epoch:
        raise UserError(
            f"{path} holds epoch {held.epoch}, and epoch {consensus.epoch} was offered: an old "
            "directory is not taken in place of a newer one. Try another source.",
            ExitCode.NO_CONSENSUS,
        )
    if consensus.epoch == held.epoch and consensus.digest != held.digest:
        raise UserError(
            f"There are two valid documents of epoch {held.epoch}. The authorities of this network "
            f"have cheated: keep {path} as proof and stop.",
            ExitCode.SECURITY_STOP,
        )


def _record(genesis: Genesis, consensus: Consensus, signers: tuple[int, ...]) -> dict[str, object]:
    return {
        "ok": True,
        "network": genesis.network,
        "epoch": consensus.epoch,
        "digest": consensus.digest.hex(),
        "signed_by": [genesis.authorities[number].name for number in signers],
        "nodes": len(consensus.nodes),
        "serves_to_epoch": last_served(consensus.epoch),
    }
