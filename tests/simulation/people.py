"""What the simulations' people do, through the one door that the commands use too."""

from client import Text
from experiments.simnet.client_machine import ClientMachine
from experiments.simnet.world import World

MEETING_SECONDS = 300.0
WARM_UP_SECONDS = 20.0  # the first document, and every client's copy of it


def warm_up(world: World) -> None:
    """Runs until every client has a document and its link."""
    assert world.run_until(
        lambda: all(
            client.is_up and client.messenger.status(world.clock.now).document_epoch is not None
            for client in world.clients
        ),
        seconds=120,
    )


def introduce(world: World, inviter: ClientMachine, invited: ClientMachine) -> None:
    """Begins a meeting; what either writes meanwhile waits."""
    now = world.clock.now
    invitation = inviter.do(lambda messenger: messenger.invite(invited.name, now))
    assert invitation is not None
    added = invited.do(lambda messenger: messenger.add(invitation.text(), inviter.name, now))
    assert added is not None


def write(world: World, sender: ClientMachine, receiver: ClientMachine, text: str) -> bool:
    """Whether the sender was told that the message is accepted."""
    now = world.clock.now
    sent = sender.do(lambda messenger: messenger.send(receiver.name, Text(text), now))
    return sent is not None


def texts_of(reader: ClientMachine, contact: ClientMachine) -> list[str]:
    """What the reader was shown from the contact, in order."""
    return [message.text for message in reader.shown if message.contact == contact.name]
