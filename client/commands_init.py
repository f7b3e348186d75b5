"""`init`: makes a profile."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from client.commands_options import chosen_profile, profile_option
from client.profile import Profile
from client.views import shown, size_text
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import (
    HushmillCommand,
    Output,
    pass_output,
    passphrase_options,
    read_passphrase,
)

if TYPE_CHECKING:
    from pki import Genesis, GenesisNode

UNNAMED = "anonymous"

SAFETY_BASICS = """\
What this protects: who writes to whom, when and how much, from anyone who watches the network, and
the words from everyone but the two of you. It has not been audited. What it cannot do:
  - Your provider sees your address and when you are online, though not with whom you talk.
  - Leave the daemon running. Cover flows only while it does, and being online just for a message
    tells when you write.
  - Nobody can reset your passphrase. Without it this profile is lost.
  - Compare safety numbers with each contact (hushmill verify) before you trust what they write."""


@click.command(cls=HushmillCommand)
@click.option(
    "--network",
    "network_file",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The signed network.toml of the network to join.",
)
@click.option("--name", default=UNNAMED, show_default=True, help="What your contacts are told.")
@click.option("--provider", metavar="NAME", help="Provider, by name or number (else: by chance).")
@profile_option
@passphrase_options
@pass_output
def init(
    output: Output,
    network_file: Path,
    name: str,
    provider: str | None,
    folder: Path | None,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Make your profile: an identity, an encrypted store, a provider."""
    from client.cover_cost import cover_bytes_a_day
    from client.founding import fit_name

    profile = chosen_profile(folder)
    fit_name(name)
    data, genesis = _read_network(network_file)
    chosen = _choose_provider(genesis, provider)
    _refuse_existing(profile)
    passphrase = read_passphrase(passphrase_file, passphrase_fd, is_new=True)
    profile.make_folders()
    _found(profile, data, genesis, chosen, name, passphrase)
    cost = cover_bytes_a_day(genesis.parameters)
    record = {
        "profile": str(profile.folder),
        "name": name.strip(),
        "network": genesis.network,
        "network_id": genesis.network_id.hex(),
        "provider": {"number": chosen.number, "name": chosen.name},
        "bytes_a_day": round(cost),
    }
    output.result(record, human=f"Your profile is in {profile.folder}")
    output.note(
        f"\n{SAFETY_BASICS}\n\n"
        f"Cover traffic costs about {size_text(cost)} a day each way, busy or not.\n"
        f"Your provider is {shown(chosen.name)} ({shown(chosen.operator)}).\n\n"
        f"Next: hushmill daemon{profile.option}, and leave it running;\n"
        f"then: hushmill invite NAME{profile.option}, and give the invitation to that person"
    )


def _read_network(path: Path) -> "tuple[bytes, Genesis]":
    from pki import read_genesis

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"The network file {path} cannot be read ({error.strerror}). Get it from where your "
            "network publishes it.",
            ExitCode.CONFIGURATION,
        ) from error
    return data, read_genesis(data)


def _choose_provider(genesis: "Genesis", wanted: str | None) -> "GenesisNode":
    """The provider of that name or number, or one by chance, so that no provider is everyone's."""
    from hushmill.randomness import choose
    from hushmill.runtime import SystemRandomness

    providers = [node for node in genesis.nodes if node.role == "provider"]
    if not providers:
        raise UserError("This network has no provider.", ExitCode.CONFIGURATION)
    if wanted is None:
        return choose(SystemRandomness(), providers)
    for node in providers:
        if wanted in (node.name, str(node.number)):
            return node
    names = ", ".join(f"{shown(node.name)} ({node.number})" for node in providers)
    raise UserError(
        f"There is no provider {shown(wanted)!r} in this network; there are: {names}.",
        ExitCode.NOT_FOUND,
    )


def _refuse_existing(profile: Profile) -> None:
    if profile.network.exists():
        raise UserError(
            f"There is a profile in {profile.folder} already. Use it, or choose another folder "
            "with --profile.",
            ExitCode.CONFIGURATION,
        )
    if profile.vault.exists():
        raise UserError(
            f"In {profile.folder} lies a store without its network.toml. If an init was "
            "interrupted there, remove the folder and begin again; else restore network.toml.",
            ExitCode.CONFIGURATION,
        )


def _found(
    profile: Profile,
    network: bytes,
    genesis: "Genesis",
    provider: "GenesisNode",
    name: str,
    passphrase: str,
) -> None:
    """Writes the store, then the network file, whose being there says that all of it is."""
    from client import create_vault
    from client.founding import found_person
    from client.store import ClientStore
    from hushmill.runtime import SystemRandomness, atomic_write, now

    connection = create_vault(profile.vault, passphrase)
    try:
        store = ClientStore(connection)
        rng = SystemRandomness()
        found_person(store, name, genesis.network_id, provider.number, rng, now())
    finally:
        connection.close()
    atomic_write(profile.network, network)
