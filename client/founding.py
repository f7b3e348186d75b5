"""A new person: the secrets that a profile begins with, written once into an empty store."""

from client.bundle import PreKeys
from client.identity import Identity
from client.store import ClientStore
from client.store_person import Person
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import INBOX_ID_BYTES, InboxId, NetworkId, NodeNumber
from hushmill.randomness import Randomness

NAME_CHARACTERS = 64
_SECRET_BYTES = 32


def found_person(
    store: ClientStore,
    name: str,
    network: NetworkId,
    provider: NodeNumber,
    rng: Randomness,
    now: float,
) -> Person:
    """Gives the store's person an identity, an account key, a first inbox and first prekeys.

    `name` is what contacts are told. Raises UserError for an unfit name (2) and for a store that
    has its person already (3).
    """
    identity = Identity.generate(rng)
    person = Person(
        name=fit_name(name),
        network=network,
        provider=provider,
        identity_seed=identity.seed,
        account_seed=rng.take(_SECRET_BYTES),
        loop_secret=rng.take(_SECRET_BYTES),
    )
    with store.transaction():
        if store.person.exists():
            raise UserError(
                "This profile has its person already. Choose another folder with --profile.",
                ExitCode.CONFIGURATION,
            )
        store.person.add(person)
        store.person.add_prekeys(PreKeys.generate(identity, now).raw, now)
        store.mailbox.add_inbox(InboxId(rng.take(INBOX_ID_BYTES)), now)
    return person


def fit_name(name: str) -> str:
    """`name` without outer blanks. Raises UserError (2) for an empty, too long or unprintable
    one."""
    fit = name.strip()
    if not fit or len(fit) > NAME_CHARACTERS or not fit.isprintable():
        raise UserError(
            f"A name has 1 to {NAME_CHARACTERS} printable characters: choose another one.",
            ExitCode.USAGE,
        )
    return fit
