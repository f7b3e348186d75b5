"""How busy a network is, from its newest document or as somebody supposes, and its width.

Spec: docs/spec/laboratory.md (Profiles).
"""

from dataclasses import dataclass
from pathlib import Path

from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.identifiers import Epoch
from pki import (
    NETWORK_FILE,
    Consensus,
    Genesis,
    NetworkAnonymity,
    anonymity_at,
    anonymity_of,
    anonymity_with,
    epoch_at,
    newest_document_in,
    read_genesis,
    verify_consensus,
)

DOCUMENT_BYTES = 16 << 20  # more than any document has


@dataclass(frozen=True, slots=True)
class Situation:
    """`widths` are mixes a layer, layer 1 first; `figures` what the product says of this load;
    `source` says in words where the load is from, `epoch` of which document if of one."""

    widths: tuple[int, ...]
    figures: NetworkAnonymity
    source: str
    epoch: Epoch | None = None

    def epochs_old(self, genesis: Genesis, now: float) -> int | None:
        """By how many epochs the document lags behind the present one, from 0 on; None where the
        load is not of a document."""
        if self.epoch is None:
            return None
        return max(0, epoch_at(now, genesis.parameters) - self.epoch)


def open_network(path: Path) -> Genesis:
    """The genesis in a network file, or in the folder of a local network.

    Raises UserError: NOT_FOUND when there is none, or as `read_genesis` does.
    """
    file = path / NETWORK_FILE if path.is_dir() else path
    try:
        return read_genesis(file.read_bytes())
    except OSError as error:
        raise UserError(
            f"{file} cannot be read. NETWORK is a {NETWORK_FILE}, or the folder of a local network "
            "(hushmill testnet up FOLDER).",
            ExitCode.NOT_FOUND,
        ) from error


def supposed_clients(genesis: Genesis, clients: int) -> Situation:
    """`clients` people who are on. Raises UserError(USAGE) for less than none."""
    if clients < 0:
        raise UserError("`clients` must not be negative.", ExitCode.USAGE)
    widths = genesis_widths(genesis)
    figures = anonymity_with(clients, list(widths), genesis.parameters)
    return Situation(widths, figures, f"{clients} clients, as supposed")


def supposed_load(genesis: Genesis, load: int) -> Situation:
    """`load` packets a second through each layer. Raises UserError(USAGE) for less than none."""
    if load < 0:
        raise UserError("`load` must not be negative.", ExitCode.USAGE)
    widths = genesis_widths(genesis)
    figures = anonymity_at(load, list(widths), genesis.parameters)
    return Situation(widths, figures, f"{load} packets a second, as supposed")


def measured(genesis: Genesis, consensus: Consensus) -> Situation:
    """What the mixes measured, by a document. Raises UserError(NO_CONSENSUS) while none of them
    has been up for a whole epoch."""
    figures = anonymity_of(consensus, genesis.parameters)
    if figures is None:
        raise UserError(
            f"The mixes have not said a load yet in the document of epoch {consensus.epoch}: each "
            f"measures a whole epoch first ({genesis.parameters.epoch_seconds} s), and the next "
            "document but one carries it. Wait, or give --clients N or --load PACKETS_PER_SECOND.",
            ExitCode.NO_CONSENSUS,
        )
    widths = tuple(len(layer) for layer in consensus.layers)
    source = f"measured, document of epoch {consensus.epoch}"
    return Situation(widths, figures, source, consensus.epoch)


def measured_in(genesis: Genesis, path: Path) -> Situation:
    """As `measured`, from the newest document that any authority in a local network's folder holds.

    Raises UserError(USAGE) that says what to give where `path` holds no document.
    """
    folders = sorted(path.glob("authority*")) if path.is_dir() else []
    found = [newest_document_in(folder, genesis) for folder in folders]
    known = [consensus for consensus in found if consensus is not None]
    if not known:
        raise UserError(
            "How busy the network is, is not known from this. Give --document FILE (a document, "
            "from `hushmill directory fetch`), --clients N or --load PACKETS_PER_SECOND.",
            ExitCode.USAGE,
        )
    return measured(genesis, max(known, key=lambda consensus: consensus.epoch))


def measured_by(genesis: Genesis, document: Path) -> Situation:
    """As `measured`, from a file. Raises UserError: NOT_FOUND, or SECURITY_STOP for a document that
    the network's authorities did not sign."""
    try:
        with document.open("rb") as opened:
            data = opened.read(DOCUMENT_BYTES)
    except OSError as error:
        raise UserError(f"{document} cannot be read.", ExitCode.NOT_FOUND) from error
    try:
        return measured(genesis, verify_consensus(genesis, data))
    except PeerError as error:
        raise UserError(
            f"{document} is not a document that the authorities of network {genesis.network} "
            "signed: do not use it.",
            ExitCode.SECURITY_STOP,
        ) from error


def genesis_widths(genesis: Genesis) -> tuple[int, ...]:
    """Admitted mixes of each layer, layer 1 first."""
    return tuple(
        sum(node.role == "mix" and node.layer == layer for node in genesis.nodes)
        for layer in range(1, genesis.parameters.layers + 1)
    )
