"""A person's commands, by the names under which the entry points find them.

Every command but `init` and `daemon` is a short talk with the daemon, and imports no cryptography,
database or network library: `send` has 300 ms in all. Contract: docs/commands.md.
"""

from client.commands_contacts import add, contacts, invite, verify
from client.commands_daemon import daemon
from client.commands_init import init
from client.commands_messages import inbox, send
from client.commands_status import status

__all__ = ["add", "contacts", "daemon", "inbox", "init", "invite", "send", "status", "verify"]
