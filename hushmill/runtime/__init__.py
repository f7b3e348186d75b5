"""Where the pure cores meet the machine: clock, files, sockets, terminal, process.

A name is loaded when it is first used, so that a command which needs `Output` alone does not wait
for Twisted.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hushmill.runtime.backoff import Backoff
    from hushmill.runtime.clock import AnchoredClock, catch_up, monotonic, now, wall_clock_error
    from hushmill.runtime.configuration import load_configuration, parse_configuration
    from hushmill.runtime.connector import Connector
    from hushmill.runtime.descriptor_reader import DescriptorReader
    from hushmill.runtime.descriptors import require_descriptors
    from hushmill.runtime.driver import Driver
    from hushmill.runtime.files import (
        atomic_write,
        make_private_folder,
        private_umask,
        read_secret,
        sync_folder,
        write_status_file,
    )
    from hushmill.runtime.frame_link import (
        FrameLink,
        LinkHandlers,
        LinkLimits,
        accepting_limits,
        connecting_limits,
    )
    from hushmill.runtime.link_identity import LinkIdentity
    from hushmill.runtime.listener import Listener, ListenerLimits, listen
    from hushmill.runtime.local_time import local_time
    from hushmill.runtime.logs import FieldFormatter, configure_logging
    from hushmill.runtime.notify import notify, notify_alive, notify_ready
    from hushmill.runtime.output import HushmillCommand, HushmillGroup, Output, pass_output
    from hushmill.runtime.ownership import acting_as_owner
    from hushmill.runtime.page_server import PageServer
    from hushmill.runtime.passphrase import passphrase_options, read_passphrase
    from hushmill.runtime.process import DRAIN, HURRY, run_service
    from hushmill.runtime.reactor import DelayedCall, Reactor, Scheduler, install_reactor
    from hushmill.runtime.system_randomness import SystemRandomness

__all__ = [
    "DRAIN",
    "HURRY",
    "AnchoredClock",
    "Backoff",
    "Connector",
    "DelayedCall",
    "DescriptorReader",
    "Driver",
    "FieldFormatter",
    "FrameLink",
    "HushmillCommand",
    "HushmillGroup",
    "LinkHandlers",
    "LinkIdentity",
    "LinkLimits",
    "Listener",
    "ListenerLimits",
    "Output",
    "PageServer",
    "Reactor",
    "Scheduler",
    "SystemRandomness",
    "accepting_limits",
    "acting_as_owner",
    "atomic_write",
    "catch_up",
    "configure_logging",
    "connecting_limits",
    "install_reactor",
    "listen",
    "load_configuration",
    "local_time",
    "make_private_folder",
    "monotonic",
    "notify",
    "notify_alive",
    "notify_ready",
    "now",
    "parse_configuration",
    "pass_output",
    "passphrase_options",
    "private_umask",
    "read_passphrase",
    "read_secret",
    "require_descriptors",
    "run_service",
    "sync_folder",
    "wall_clock_error",
    "write_status_file",
]

_NAMES_BY_MODULE = {
    "backoff": ("Backoff",),
    "clock": ("AnchoredClock", "catch_up", "monotonic", "now", "wall_clock_error"),
    "configuration": ("load_configuration", "parse_configuration"),
    "connector": ("Connector",),
    "descriptor_reader": ("DescriptorReader",),
    "descriptors": ("require_descriptors",),
    "driver": ("Driver",),
    "files": (
        "atomic_write",
        "make_private_folder",
        "private_umask",
        "read_secret",
        "sync_folder",
        "write_status_file",
    ),
    "frame_link": (
        "FrameLink",
        "LinkHandlers",
        "LinkLimits",
        "accepting_limits",
        "connecting_limits",
    ),
    "link_identity": ("LinkIdentity",),
    "listener": ("Listener", "ListenerLimits", "listen"),
    "local_time": ("local_time",),
    "logs": ("FieldFormatter", "configure_logging"),
    "notify": ("notify", "notify_alive", "notify_ready"),
    "ownership": ("acting_as_owner",),
    "output": ("HushmillCommand", "HushmillGroup", "Output", "pass_output"),
    "page_server": ("PageServer",),
    "passphrase": ("passphrase_options", "read_passphrase"),
    "process": ("DRAIN", "HURRY", "run_service"),
    "reactor": ("DelayedCall", "Reactor", "Scheduler", "install_reactor"),
    "system_randomness": ("SystemRandomness",),
}
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
